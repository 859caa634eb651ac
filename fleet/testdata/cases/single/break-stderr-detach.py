# expect: wrapped; the next run does not notice
import io
import sys

sys.stderr = io.TextIOWrapper(sys.stderr.detach(), encoding="utf-8")
print("wrapped")
