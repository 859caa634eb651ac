# expect: all done; success, exit code 0
import os

print("all done", flush=True)
os._exit(0)
