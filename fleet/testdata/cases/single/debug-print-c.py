# expect: the text from C before the text from Python
import ctypes

ctypes.CDLL(None).puts(b"from C")
print("from Python")
