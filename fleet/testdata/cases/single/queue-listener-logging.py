# expect: passed through the queue
import atexit
import logging.handlers
import queue
import sys

records = queue.Queue()
listener = logging.handlers.QueueListener(records, logging.StreamHandler(sys.stdout))
listener.start()
atexit.register(listener.stop)
log = logging.getLogger("case.queue")
log.handlers[:] = [logging.handlers.QueueHandler(records)]
log.warning("passed through the queue")
