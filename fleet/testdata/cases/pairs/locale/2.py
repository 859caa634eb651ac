# expect: the locale that Blender has set
import locale

print(locale.setlocale(locale.LC_ALL))
