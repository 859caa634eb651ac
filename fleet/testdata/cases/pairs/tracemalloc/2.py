# expect: False
import tracemalloc

print(tracemalloc.is_tracing())
