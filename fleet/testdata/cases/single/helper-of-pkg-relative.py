# expect: ImportError, because a script has no package
from . import helper
