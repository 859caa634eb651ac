# expect: waited
import time

time.sleep(1.3)
print("waited")
