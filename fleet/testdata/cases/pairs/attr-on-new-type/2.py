# expect: False
import bpy

print(hasattr(bpy.types.VertexGroup, "case_number"))
