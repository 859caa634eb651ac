# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the modules of tcp_echo that do not need Blender be imported without it."""

import os
import sys
import types

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tcp_echo")

# A package of the same folder whose __init__, which imports bpy, is not executed.
_package = types.ModuleType("tcp_echo")
_package.__path__ = [FOLDER]
sys.modules.setdefault("tcp_echo", _package)
sys.dont_write_bytecode = True


def cut(random, data, longest):
    """Cut data into segments of random lengths from 1 to longest."""
    start = 0
    while start < len(data):
        end = start + random.randint(1, longest)
        yield data[start:end]
        start = end
