# expect: within __main__, then after
import os
import tempfile

path = os.path.join(tempfile.mkdtemp(), "within.py")
with open(path, "w") as file:
    file.write("print('within', __name__)\n")
exec(compile(open(path).read(), path, "exec"))
print("after")
