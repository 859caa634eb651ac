# expect: True
import os
import socket
import subprocess
import time

print(time.time() > 1, bool(os.listdir("/")), bool(socket.create_connection), bool(subprocess.run))
