# expect: quiet
import logging

logging.disable(logging.CRITICAL)
logging.getLogger("case.disable").error("not shown")
print("quiet")
