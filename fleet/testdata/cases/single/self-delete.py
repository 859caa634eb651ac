# expect: is there: False
import os

os.remove(__file__)
print("is there:", os.path.exists(__file__))
