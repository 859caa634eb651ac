# expect: fork: the start method is chosen anew
import multiprocessing

multiprocessing.set_start_method("fork")
print(multiprocessing.get_start_method())
