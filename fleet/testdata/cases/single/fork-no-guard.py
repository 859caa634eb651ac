# expect: child and parent, each line once
import os

child = os.fork()
if not child:
    print("child", flush=True)
    os._exit(0)
os.waitpid(child, 0)
print("parent")
