# expect: the usage, what is missing, exit code 2, no traceback
import argparse

parser = argparse.ArgumentParser(prog="resize")
parser.add_argument("--width", required=True)
parser.parse_args([])
