# expect: seeded
import random

random.seed(1)
print("seeded")
