# expect: cleared; the next run does not notice (a cold Blender crashes when it then ends)
import sys

sys.modules.clear()
print("cleared")
