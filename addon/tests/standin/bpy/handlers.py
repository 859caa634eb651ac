# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of functions that Blender would call."""

load_post = []
load_pre = []
render_cancel = []
render_complete = []
render_init = []
render_post = []
render_stats = []
render_write = []
save_post = []


def persistent(function):
    return function
