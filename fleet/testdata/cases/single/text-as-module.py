# expect: 11
import bpy

text = bpy.data.texts.new("numbers.py")
text.from_string("eleven = 11\n")
print(text.as_module().eleven)
