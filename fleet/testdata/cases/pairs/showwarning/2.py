# expect: the warning with the file and its line
import warnings

warnings.warn("look")
