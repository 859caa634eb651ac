# expect: shown
import logging

logging.getLogger("case.disable").error("shown")
