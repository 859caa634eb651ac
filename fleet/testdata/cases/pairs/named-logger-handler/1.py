# expect: one line, each time
import logging
import sys

log = logging.getLogger("case.handler")
log.setLevel(logging.INFO)
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
log.addHandler(handler)
log.info("one line")
