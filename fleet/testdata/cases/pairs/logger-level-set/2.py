# expect: shown
import logging

logging.getLogger("case.level").warning("shown")
