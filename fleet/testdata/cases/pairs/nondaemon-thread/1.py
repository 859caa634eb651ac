# expect: begun, then thread done, which belongs to the run
import threading
import time


def work():
    time.sleep(0.2)
    print("thread done")


threading.Thread(target=work).start()
print("begun")
