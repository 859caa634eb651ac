# expect: [inf] [0.12345679]
import warnings

import numpy

warnings.simplefilter("ignore")
print(numpy.array([1.0]) / 0, numpy.array([0.123456789]))
