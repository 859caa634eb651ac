# expect: False
import subprocess

text = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
print("CASE_LEFT=" in text)
