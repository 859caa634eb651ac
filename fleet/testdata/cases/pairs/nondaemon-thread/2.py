# expect: waited
import time

time.sleep(0.4)
print("waited")
