# expect: changed
import bpy

preferences = bpy.context.preferences
cycles = preferences.addons["cycles"].preferences
for name, value in (("use_oneapirt", True), ("debug_use_cpu_avx2", False)):
    if hasattr(cycles, name):
        setattr(cycles, name, value)
preferences.system.memory_cache_limit = 2048
preferences.filepaths.save_version = 0
preferences.filepaths.use_relative_paths = False
print("changed")
