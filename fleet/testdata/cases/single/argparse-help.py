# expect: the usage, success
import argparse

argparse.ArgumentParser(prog="resize").parse_args(["--help"])
