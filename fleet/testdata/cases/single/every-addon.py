# expect: the same add-ons can be enabled, each time
import addon_utils

names = sorted(module.__name__ for module in addon_utils.modules())
print([name for name in names if addon_utils.enable(name) is None])
