# expect: the traceback of a group with both exceptions, exit code 1
try:
    raise ValueError("cause")
except ValueError as cause:
    raise ExceptionGroup("both", [cause, TypeError("second")])
