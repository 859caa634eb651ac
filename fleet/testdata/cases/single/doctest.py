# expect: TestResults(failed=0, attempted=1)
"""
>>> 2 * 3
6
"""

import doctest

print(doctest.testmod())
