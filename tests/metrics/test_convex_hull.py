"""The upper convex hull of rate points, by hand and by its definition."""

import itertools
import math
import random

from benchmark.metrics.bjontegaard_delta import Point
from benchmark.metrics.convex_hull import upper_hull


def test_the_hull_is_as_drawn_by_hand():
    on = [Point(0.1, 10), Point(0.2, 30), Point(0.4, 40), Point(0.8, 45)]
    off = [
        Point(0.3, 34.9),  # the line from 0.2 to 0.4 is at 35 there
        Point(0.1, 9),  # as many bits for less
        Point(0.5, 39),  # more bits for less
        Point(0.9, 45),  # more bits for nothing
        Point(0.05, math.nan),
    ]
    assert upper_hull([*off, *on]) == on
    assert upper_hull([*on, Point(0.3, 35)]) == [*on[:2], Point(0.3, 35), *on[2:]]
    assert upper_hull(on[:1]) == on[:1]
    assert upper_hull([]) == []


def under_a_line(point, points):
    """Whether a point is dominated, or lies below the line between two others."""
    if any(its.bpp <= point.bpp and its.quality >= point.quality for its in points - {point}):
        return True
    return any(
        one.bpp < point.bpp < other.bpp
        and point.quality
        < one.quality
        + (other.quality - one.quality) * (point.bpp - one.bpp) / (other.bpp - one.bpp)
        for one, other in itertools.permutations(points, 2)
    )


def test_no_point_of_it_lies_under_another_or_under_a_line_between_two():
    draw = random.Random(0)
    for _ in range(50):
        points = {Point(draw.random() + 0.01, draw.random()) for _ in range(12)}
        expected = {point for point in points if not under_a_line(point, points)}
        assert set(upper_hull(points)) == expected
