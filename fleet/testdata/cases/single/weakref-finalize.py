# expect: last line, then finalized (temporary folders are removed so)
import weakref


class Holder:
    pass


holder = Holder()
weakref.finalize(holder, print, "finalized")
print("last line")
