# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for Blender's module of this name."""

Euler = Vector = tuple
