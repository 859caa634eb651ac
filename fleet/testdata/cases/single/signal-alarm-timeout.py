# expect: in time
import signal
import time


def ring(*_args):
    raise TimeoutError


signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    time.sleep(30)
except TimeoutError:
    print("in time")
