# expect: one test ran, OK
import sys
import unittest


class Sums(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(1 + 1, 2)


runner = unittest.TextTestRunner(stream=sys.stdout)
unittest.main(argv=["sums"], exit=False, testRunner=runner)
