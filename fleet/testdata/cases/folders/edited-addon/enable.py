# expect: the value that part.py has now
import addon_utils

addon_utils.enable("case_addon")
