# expect: closed; success, because the script needs none of the descriptors (daemons do this)
import os

os.closerange(3, 1000)
print("closed")
