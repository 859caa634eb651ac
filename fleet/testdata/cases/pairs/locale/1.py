# expect: set
import locale

locale.setlocale(locale.LC_ALL, "POSIX")
print("set")
