# expect: set
import logging

log = logging.getLogger("case.level")
log.setLevel(logging.CRITICAL)
log.propagate = False
print("set")
