# expect: the traceback of the thread, then after; success
import threading

thread = threading.Thread(target=int, args=("x",), name="reader")
thread.start()
thread.join()
print("after")
