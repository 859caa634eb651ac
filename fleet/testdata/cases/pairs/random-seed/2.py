# expect: False: two starts differ
import random

print(random.random() == random.Random(1).random())
