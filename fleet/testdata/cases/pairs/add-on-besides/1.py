# expect: enabled, though the preferences do not say so
import addon_utils

print(addon_utils.enable("io_import_images_as_planes") is not None)
