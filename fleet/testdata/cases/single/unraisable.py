# expect: an exception that is ignored, then after
class Broken:
    def __del__(self):
        raise ValueError("while it is deleted")


Broken()
print("after")
