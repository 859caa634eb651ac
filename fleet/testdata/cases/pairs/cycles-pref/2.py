# expect: 4096 1 True
import bpy

preferences = bpy.context.preferences
files = preferences.filepaths
print(preferences.system.memory_cache_limit, files.save_version, files.use_relative_paths)
