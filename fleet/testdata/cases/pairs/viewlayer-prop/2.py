# expect: [] False
import bpy

names = ("Node", "NodeSocket", "Sequence", "TimelineMarker")
print([name for name in names if hasattr(getattr(bpy.types, name, None), "case_note")])
print(hasattr(bpy.types.ViewLayer, "case_flag"))
