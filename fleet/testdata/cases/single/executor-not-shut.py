# expect: submitted, then the line of the work, which belongs to the run
import concurrent.futures
import time


def work():
    time.sleep(0.2)
    print("work done")


concurrent.futures.ThreadPoolExecutor(2).submit(work)
print("submitted")
