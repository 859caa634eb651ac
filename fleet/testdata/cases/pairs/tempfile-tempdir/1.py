# expect: set
import tempfile

with tempfile.TemporaryDirectory() as folder:
    tempfile.tempdir = folder
print("set")
