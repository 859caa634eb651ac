# expect: a helper beside the script
VALUE = 1
