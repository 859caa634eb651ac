# expect: before; success
print("before")
exit()
