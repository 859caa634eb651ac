# expect: put
import os

os.putenv("CASE_LEFT", "1")
print("put")
