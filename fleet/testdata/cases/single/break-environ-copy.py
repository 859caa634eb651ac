# expect: replaced; the next run does not notice
import os

os.environ = os.environ.copy()
print("replaced")
