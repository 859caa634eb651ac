# expect: é☃
print("\u00e9\u2603")
