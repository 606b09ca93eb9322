"""The convex hull of rate points that were coded at several scales, as MPEG draws its anchors."""

from __future__ import annotations

import math
from collections.abc import Iterable

from benchmark.metrics.bjontegaard_delta import Point


def upper_hull(points: Iterable[Point]) -> list[Point]:
    """Return the points of the upper convex hull over the rate, as far as the quality rises.

    From each point on, the next is the one that buys most quality per bit: at no rate does a line
    between two points, nor any point, lie above it. Rate and quality are both on linear scales, as
    in the common test conditions of MPEG's Video Coding for Machines.

    Args:
        points: in any order; those without a finite quality are left out.

    Returns:
        The points by rising rate and rising quality.
    """
    hull: list[Point] = []
    for point in sorted(points, key=lambda point: (point.bpp, -point.quality)):
        if not math.isfinite(point.quality) or (hull and point.quality <= hull[-1].quality):
            continue
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) < _slope(hull[-2], point):
            hull.pop()
        hull.append(point)
    return hull


def _slope(first: Point, second: Point) -> float:
    return (second.quality - first.quality) / (second.bpp - first.bpp)
