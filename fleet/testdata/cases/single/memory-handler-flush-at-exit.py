# expect: kept until the end (logging flushes it there)
import logging.handlers
import sys

log = logging.getLogger("case.memory")
target = logging.StreamHandler(sys.stdout)
log.handlers[:] = [logging.handlers.MemoryHandler(50, target=target)]
log.warning("kept until the end")
