# expect: the source of the function, True, __main__
import inspect


def source(): return "of this function"


print(inspect.getsource(source).strip())
print(inspect.getsourcefile(source) == __file__, inspect.getmodule(source).__name__)
