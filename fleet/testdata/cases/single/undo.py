# expect: as in a cold Blender
import bpy

for name in ("undo_push", "undo", "redo"):
    try:
        print(name, getattr(bpy.ops.ed, name)())
    except RuntimeError as error:
        print(name, str(error).strip()[:50])
