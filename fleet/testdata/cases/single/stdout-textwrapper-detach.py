# expect: é☃, success, and the next run prints, too
import io
import sys

sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8", line_buffering=True)
print("\u00e9\u2603")
