# expect: replaced; the next run does not notice
import os

os.environ = dict(os.environ)
print("replaced")
