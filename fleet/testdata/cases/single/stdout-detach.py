# expect: é☃, success, and the next run prints, too
import codecs
import sys

sys.stdout = codecs.getwriter("utf-8")(sys.stdout.detach())
print("\u00e9\u2603")
