# expect: wrapped; the next run does not notice
import io
import sys

sys.stdin = io.TextIOWrapper(sys.stdin.detach(), encoding="utf-8")
print("wrapped")
