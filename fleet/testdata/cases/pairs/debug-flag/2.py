# expect: False 0, and nothing of the dependency graph
import bpy

print(bpy.app.debug_depsgraph, bpy.app.debug_value)
bpy.context.view_layer.update()
