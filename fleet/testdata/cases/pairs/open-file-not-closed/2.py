# expect: kept back
print(open("unclosed.txt").read())
