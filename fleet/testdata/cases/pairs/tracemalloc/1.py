# expect: started
import tracemalloc

tracemalloc.start(10)
print("started")
