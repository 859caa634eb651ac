# expect: 9.0
import bpy

bpy.app.driver_namespace["thrice"] = lambda value: 3 * value
cube = bpy.context.object
cube.driver_add("location", 0).driver.expression = "thrice(3)"
bpy.context.view_layer.update()
print(cube.evaluated_get(bpy.context.evaluated_depsgraph_get()).location.x)
