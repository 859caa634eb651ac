# expect: an add-on of two modules
from . import part

bl_info = {"name": "Case", "blender": (2, 93, 0), "category": "Object"}


def register():
    print("value", part.VALUE)


def unregister():
    print("CHATTER OF THE END")
