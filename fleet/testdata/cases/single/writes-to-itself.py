# expect: one line more
with open(__file__, "a") as file:
    file.write("# one line more\n")
print(sum(1 for _ in open(__file__)))
