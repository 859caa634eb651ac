# expect: the value that tool.py has now
import tool

print("tool", tool.VALUE)
