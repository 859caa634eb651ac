# expect: disabled
import addon_utils

addon_utils.disable("io_scene_gltf2", default_set=True)
print("disabled")
