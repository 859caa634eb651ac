# expect: True
import os
import tempfile

import bpy

path = os.path.join(tempfile.mkdtemp(), "small.png")
image = bpy.data.images.new("small", 4, 4)
image.filepath_raw, image.file_format = path, "PNG"
image.save()
print(os.path.exists(path))
