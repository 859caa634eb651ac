# expect: within __main__, then whether the main module is still the script
import os
import sys
import tempfile

import bpy

mine = object()
path = os.path.join(tempfile.mkdtemp(), "within.py")
with open(path, "w") as file:
    file.write("print('within', __name__)\n")
try:
    bpy.ops.script.python_file_run(filepath=path)
except RuntimeError as error:
    print("RuntimeError", str(error).strip())
print(getattr(sys.modules["__main__"], "mine", None) is mine)
