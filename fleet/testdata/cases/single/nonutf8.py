# expect: a SyntaxError that names the byte
print('naïve')
