# expect: registered, each time
import nodeitems_utils

categories = [nodeitems_utils.NodeCategory("CASE", "Case", items=[])]
nodeitems_utils.register_node_categories("CASE_NODES", categories)
print("registered")
