# expect: set
import gc
import signal
import sys
import threading

gc.set_threshold(5, 5, 5)
sys.set_int_max_str_digits(1000)
threading.stack_size(65536)
signal.signal(signal.SIGWINCH, print)
print("set")
