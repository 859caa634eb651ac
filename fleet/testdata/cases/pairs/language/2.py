# expect: Cube.001
import bpy

bpy.ops.mesh.primitive_cube_add()
print(bpy.context.object.name)
