# expect: the same mask as before
import os

mask = os.umask(0o022)
os.umask(mask)
print(oct(mask))
