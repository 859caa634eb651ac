# expect: one line, each time
import logging
import sys

log = logging.getLogger("case.handler")
log.setLevel(logging.INFO)
log.addHandler(logging.StreamHandler(sys.stdout))
log.info("one line")
