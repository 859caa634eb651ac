# expect: set
import numpy

numpy.seterr(all="raise")
numpy.set_printoptions(precision=2, suppress=True)
numpy.random.seed(1)
print("set")
