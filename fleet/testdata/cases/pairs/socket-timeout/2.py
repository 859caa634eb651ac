# expect: None
import socket

print(socket.getdefaulttimeout())
