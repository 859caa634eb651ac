# expect: "no file was named" and nothing else, exit code 1
import sys

sys.exit("no file was named")
