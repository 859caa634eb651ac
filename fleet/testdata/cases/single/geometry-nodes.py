# expect: 26 vertices, and with newer Blenders the error of an interface that is gone
import bpy

tree = bpy.data.node_groups.new("Subdivide", "GeometryNodeTree")
tree.inputs.new("NodeSocketGeometry", "Geometry")
tree.outputs.new("NodeSocketGeometry", "Geometry")
names = ("NodeGroupInput", "GeometryNodeSubdivideMesh", "NodeGroupOutput")
first, middle, last = map(tree.nodes.new, names)
tree.links.new(first.outputs[0], middle.inputs[0])
tree.links.new(middle.outputs[0], last.inputs[0])
cube = bpy.context.object
cube.modifiers.new("Nodes", "NODES").node_group = tree
evaluated = cube.evaluated_get(bpy.context.evaluated_depsgraph_get())
print(len(evaluated.data.vertices), "vertices")
