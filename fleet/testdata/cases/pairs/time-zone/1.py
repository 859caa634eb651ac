# expect: the time zone that was set
import os
import time

os.environ["TZ"] = "Asia/Tokyo"
time.tzset()
print(time.tzname)
