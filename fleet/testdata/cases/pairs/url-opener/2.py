# expect: None
import urllib.request

print(urllib.request._opener)
