# expect: {'size': <class 'int'>} int
from __future__ import annotations

import typing

count: int = 1


def scale(size: int):
    pass


print(typing.get_type_hints(scale), __annotations__["count"])
