# expect: the name of the picture that the compositor's node has written
import os
import tempfile

import bpy

scene = bpy.context.scene
folder = tempfile.mkdtemp()
scene.render.engine = "CYCLES"
scene.cycles.samples, scene.cycles.use_denoising = 1, False
scene.render.resolution_x = scene.render.resolution_y = 8
if bpy.app.version < (5, 0, 0):
    scene.use_nodes = True
    tree, layers = scene.node_tree, scene.node_tree.nodes["Render Layers"]
else:
    tree = scene.compositing_node_group = bpy.data.node_groups.new("C", "CompositorNodeTree")
    layers = tree.nodes.new("CompositorNodeRLayers")
writer = tree.nodes.new("CompositorNodeOutputFile")
if bpy.app.version < (5, 0, 0):
    writer.base_path = folder
else:
    writer.directory = folder
    writer.file_output_items.new("RGBA", "Image")
tree.links.new(layers.outputs[0], writer.inputs[0])
bpy.ops.render.render()
print(os.listdir(folder))
