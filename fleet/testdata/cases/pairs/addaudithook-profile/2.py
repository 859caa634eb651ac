# expect: None
import threading

print(threading._profile_hook)
