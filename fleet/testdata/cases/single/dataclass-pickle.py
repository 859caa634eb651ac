# expect: Point(x=2) True
from __future__ import annotations

import dataclasses
import pickle


@dataclasses.dataclass
class Point:
    x: int


copied = pickle.loads(pickle.dumps(Point(2)))
print(copied, copied == Point(2))
