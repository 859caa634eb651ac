# expect: ['a', 'b'], as most scripts for --python read their arguments
import sys

print(sys.argv[sys.argv.index("--") + 1 :])
