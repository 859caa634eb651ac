# expect: made, each time
import os

import bpy

os.mkdir(os.path.join(bpy.app.tempdir, "case_frames"))
print("made")
