# expect: what Python begins with
import gc
import signal
import sys
import threading

print(gc.get_threshold(), sys.get_int_max_str_digits(), threading.stack_size())
print(signal.getsignal(signal.SIGWINCH))
