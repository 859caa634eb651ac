# expect: set
import threading

threading.setprofile(lambda *_args: None)
print("set")
