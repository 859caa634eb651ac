# expect: False, then whether it can be enabled
import addon_utils
import bpy

print(hasattr(bpy.types, "IMPORT_IMAGE_OT_to_plane"))
print(addon_utils.enable("io_import_images_as_planes") is not None)
