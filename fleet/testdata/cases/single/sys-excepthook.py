# expect: told by the script's own hook: ValueError
import sys


def tell(kind, value, trace):
    print("told by the script's own hook:", kind.__name__)


sys.excepthook = tell
raise ValueError("told")
