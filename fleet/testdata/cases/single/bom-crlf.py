# expect: both read
print('both read')
