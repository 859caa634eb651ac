# expect: replaced
import os
import socket
import subprocess
import time

time.time = lambda: 0
os.listdir = socket.create_connection = subprocess.run = None
print("replaced")
