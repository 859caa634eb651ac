# expect: registered, each time (as Blender's template for nodes does)
import nodeitems_utils

items = [nodeitems_utils.NodeItem("NodeReroute")]
categories = [nodeitems_utils.NodeCategory("CASE", "Case", items=items)]
nodeitems_utils.register_node_categories("CASE_NODES", categories)
print("registered")
