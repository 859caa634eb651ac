# expect: the limits, the priority and the cores that there were
import os
import resource

print(resource.getrlimit(resource.RLIMIT_NOFILE), os.getpriority(os.PRIO_PROCESS, 0))
print(len(os.sched_getaffinity(0)))
