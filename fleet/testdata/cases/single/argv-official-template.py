# expect: arguments ['a', 'b'], as Blender's template for background jobs reads them
import sys

given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
print("arguments", given)
assert given, "there are none"
