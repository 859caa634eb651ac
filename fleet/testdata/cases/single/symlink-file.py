# expect: the name of the link, where the script is a link
import os

print(os.path.basename(__file__), os.path.islink(__file__))
