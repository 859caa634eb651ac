# expect: the value that the add-on tells
VALUE = 1
