# expect: a RecursionError with a short traceback
def deeper(level):
    return deeper(level + 1)


deeper(0)
