# expect: begun
import threading
import time


def later():
    time.sleep(0.3)
    print("OF ANOTHER SCRIPT")


threading.Thread(target=later, daemon=True).start()
print("begun")
