# expect: a SyntaxError that names the encoding
# -*- coding: klingon -*-
print("not reached")
