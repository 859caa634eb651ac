# expect: last line, then released, when the module is taken apart
class Resource:
    def __del__(self):
        print("released")


held = Resource()
print("last line")
