# expect: set
import sys

sys.stdout.reconfigure(encoding="ascii", errors="ignore")
print("set")
