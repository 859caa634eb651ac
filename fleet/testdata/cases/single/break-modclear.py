# expect: cleared and filled; the next run does not notice
import sys

loaded = list(sys.modules.items())
sys.modules.clear()
sys.modules.update(loaded)
print("cleared and filled")
