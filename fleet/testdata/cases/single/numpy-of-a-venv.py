# expect: the numbers, each time (the folder site-packages beside it has a NumPy of its own)
import os
import sys

beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site-packages")
sys.path.insert(0, os.path.realpath(beside))
import numpy

print(numpy.__version__, numpy.linalg.inv(numpy.eye(2)).sum())
try:
    import pandas
except ImportError:
    pass
else:
    print(pandas.DataFrame({"a": [1, 2]}).a.sum())
