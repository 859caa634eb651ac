# expect: Cube True
import os

import bpy

path = os.path.join(os.path.dirname(__file__), "embedded.blend")
with bpy.data.libraries.load(path, link=True) as (there, here):
    here.objects = [name for name in there.objects if name == "Cube"]
print(here.objects[0].name, here.objects[0].library is not None)
