# expect: last line, then the generator's, which is closed at the end
def numbers():
    try:
        yield 1
    finally:
        print("closed")


going = numbers()
next(going)
print("last line")
