# expect: set
import socket

socket.setdefaulttimeout(0.02)
print("set")
