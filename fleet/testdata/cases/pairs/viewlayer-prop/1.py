# expect: added
import bpy

bpy.types.ViewLayer.case_flag = bpy.props.BoolProperty()
for name in ("Node", "NodeSocket", "Sequence", "TimelineMarker"):
    if hasattr(bpy.types, name):
        getattr(bpy.types, name).case_note = bpy.props.StringProperty()
print("added")
