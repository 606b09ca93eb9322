"""Bjontegaard delta rates between rate-quality curves, and what makes one doubtful."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import bjontegaard

METHODS = ("akima", "pchip", "cubic")
"""Ways to interpolate between rate points; the first is the default (arXiv 2304.12852)."""

_FEWEST_POINTS = {"akima": 2, "pchip": 2, "cubic": 4}
_GOOD_OVERLAP = 0.75


@dataclass(frozen=True)
class Point:
    """A point of a curve: bits per pixel (above 0), and a quality (higher is better)."""

    bpp: float
    quality: float


@dataclass(frozen=True)
class DeltaRate:
    """Average bitrate difference to the anchor at equal quality.

    Attributes:
        percent: the Bjontegaard delta rate, negative where the codec needs fewer bits than the
            anchor; NaN where none can be computed.
        overlap: the part of both curves' quality range that they share, 0 to 1.
        note: what makes the number doubtful, or why there is none; empty if nothing does.
    """

    percent: float
    overlap: float
    note: str


def delta_rate(codec: Sequence[Point], anchor: Sequence[Point], method: str = "akima") -> DeltaRate:
    """The Bjontegaard delta rate of a codec against an anchor.

    Rate is interpolated as a function of quality, so quality must rise with the rate. A point
    that costs more bits than another for no more quality is left out, and the note says so.

    Args:
        codec: the codec's rate points, in any order.
        anchor: the anchor's rate points.
        method: one of `METHODS`.
    """
    notes = []
    curves = []
    for name, points in (("codec", codec), ("anchor", anchor)):
        curve = _rising(points)
        if left_out := len(points) - len(curve):
            notes.append(f"{name} not monotone: {left_out} of {len(points)} points left out")
        curves.append(curve)
    shared = _overlap(*curves)
    if min(map(len, curves)) < _FEWEST_POINTS[method]:
        return DeltaRate(math.nan, shared, "; ".join([*notes, "too few points"]))
    if shared == 0:
        return DeltaRate(math.nan, shared, "; ".join([*notes, "no overlap in quality"]))
    if shared < _GOOD_OVERLAP:
        notes.append(f"curves share only {shared:.0%} of the quality range")
    (rate, quality), (anchor_rate, anchor_quality) = (
        ([point.bpp for point in curve], [point.quality for point in curve]) for curve in curves
    )
    percent = bjontegaard.bd_rate(
        anchor_rate,
        anchor_quality,
        rate,
        quality,
        method=method,
        require_matching_points=False,
        min_overlap=0,
    )
    return DeltaRate(float(percent), shared, "; ".join(notes))


def _rising(points: Sequence[Point]) -> list[Point]:
    """The points of a curve by rising rate, without those that bring no more quality."""
    curve: list[Point] = []
    for point in sorted(points, key=lambda point: (point.bpp, -point.quality)):
        if math.isfinite(point.quality) and (not curve or point.quality > curve[-1].quality):
            curve.append(point)
    return curve


def _overlap(first: Sequence[Point], second: Sequence[Point]) -> float:
    if not first or not second:
        return 0.0
    shared = min(first[-1].quality, second[-1].quality) - max(first[0].quality, second[0].quality)
    whole = max(first[-1].quality, second[-1].quality) - min(first[0].quality, second[0].quality)
    return max(0.0, shared / whole) if whole > 0 else 0.0
