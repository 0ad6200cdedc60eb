"""The measures of the detection exercise, in pixels, after CIS 680 (University of Pennsylvania, 2017)."""

from __future__ import annotations

CANVAS = 48  # height and width
OBJECTS = (24, 40)  # the smallest and the largest width of an object
STRIDE = 8  # of the feature map
ANCHOR = 32  # the width of an anchor
NEGATIVE = 0.1  # IoU up to which an anchor is background

REVISION = 1  # to be raised when a measure changes
