# expect: body, then the line of the function that is called at the end
import atexit

atexit.register(print, "called at the end")
print("body")
