# expect: True
import os
import tempfile

print(os.path.isdir(tempfile.mkdtemp()))
