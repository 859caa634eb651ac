# expect: set
import os

os.umask(0o077)
print("set")
