# expect: set
import logging

logging.captureWarnings(True)
print("set")
