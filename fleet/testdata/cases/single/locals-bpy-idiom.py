# expect: loaded for the first time, each time
print("loaded again" if "bpy" in locals() else "loaded for the first time")
import bpy
