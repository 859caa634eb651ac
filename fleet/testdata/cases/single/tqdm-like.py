# expect: one line with carriage returns in it
import sys

for step in range(3):
    sys.stderr.write(f"\r{step}/2")
    sys.stderr.flush()
sys.stderr.write("\n")
