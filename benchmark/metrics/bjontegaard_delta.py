"""Bjontegaard delta rates between rate-quality curves, and what makes one doubtful.

The default interpolation, the relative curve difference and the uncertainty are what Herglotz et
al. recommend in "The Bjontegaard Bible" (arXiv 2304.12852).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bjontegaard
import numpy as np
from bjontegaard.interpolation import interpolate
from numpy.typing import NDArray

METHODS = ("akima", "pchip", "cubic")
"""Ways to interpolate between rate points; the first is the default."""

_FEWEST_POINTS = {"akima": 2, "pchip": 2, "cubic": 4}
_GOOD_OVERLAP = 0.75
_SAMPLES = 500

_LogRate = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""The decimal logarithm of a curve's rate as a function of the quality."""


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


@dataclass(frozen=True)
class Uncertainty:
    """How far a Bjontegaard delta rate hangs on single rate points.

    Attributes:
        percentage_points: the largest difference between the delta and that without one of the
            rate points; NaN where no point can be left out.
        inside: the delta is not larger than that, so nothing follows from it; True also where
            either is unknown.
    """

    percentage_points: float
    inside: bool


@dataclass(frozen=True)
class RelativeCurveDifference:
    """The rate difference to the anchor as a function of the quality.

    Attributes:
        quality: rising, evenly spaced over the range that the curves share; empty where no delta
            rate can be computed.
        percent: 100 * (R(q) / A(q) - 1) for the interpolated rates R of the codec and A of the
            anchor; of the shape of ``quality``.
    """

    quality: NDArray[np.float64]
    percent: NDArray[np.float64]


class AkimaCurve:
    """A curve that is interpolated once, to be compared with many others.

    Args:
        points: in any order; those that `delta_rate` leaves out are left out.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        rising = _rising(points)
        self._quality = np.array([point.quality for point in rising])
        log_rate = np.log10([point.bpp for point in rising])
        enough = len(rising) >= _FEWEST_POINTS["akima"]
        self._log_rate = interpolate(self._quality, log_rate, "akima") if enough else None

    def log_difference(self, anchor: AkimaCurve) -> float:
        """The mean of log10 of this curve's rate relative to the anchor's, at equal quality.

        `delta_rate` is 100 * (10 ** difference - 1). NaN where there is none.
        """
        if self._log_rate is None or anchor._log_rate is None:
            return math.nan
        lowest = max(self._quality[0], anchor._quality[0])
        highest = min(self._quality[-1], anchor._quality[-1])
        if lowest >= highest:
            return math.nan
        own, others = (its.integrate(lowest, highest) for its in (self._log_rate, anchor._log_rate))
        return float(own - others) / (highest - lowest)


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
    percent, *interpolated = _interpolate(curves[0], curves[1], method)
    quality = _shared_range(curves[0], curves[1])
    for name, log_rate in zip(("codec", "anchor"), interpolated, strict=True):
        if np.any(np.diff(log_rate(quality)) < 0):
            notes.append(f"the {method} interpolation of the {name}'s curve is not monotone")
    if not math.isfinite(percent):
        return DeltaRate(math.nan, shared, "; ".join([*notes, "the delta is not finite"]))
    return DeltaRate(percent, shared, "; ".join(notes))


def delta_uncertainty(
    codec: Sequence[Point], anchor: Sequence[Point], method: str = "akima"
) -> Uncertainty:
    """How much the delta rate of a codec changes when a rate point of either curve is left out.

    Points that `delta_rate` leaves out do not count, nor does a point without which no delta can
    be computed: because a curve had too few points, or the curves nothing in common. Without the
    first or last point of a curve, the delta is that over a shorter range of qualities.

    Args:
        codec, anchor, method: as for `delta_rate`.
    """
    codec, anchor = _rising(codec), _rising(anchor)
    whole = delta_rate(codec, anchor, method).percent
    without = [delta_rate(rest, anchor, method) for rest in _without_one(codec)]
    without += [delta_rate(codec, rest, method) for rest in _without_one(anchor)]
    changes = [abs(delta.percent - whole) for delta in without if not math.isnan(delta.percent)]
    largest = max(changes, default=math.nan)
    return Uncertainty(largest, not abs(whole) > largest)


def relative_curve_difference(
    codec: Sequence[Point], anchor: Sequence[Point], method: str = "akima"
) -> RelativeCurveDifference:
    """The rate of a codec relative to the anchor's, at all qualities that both reach.

    Args:
        codec, anchor, method: as for `delta_rate`; points that it leaves out are left out.
    """
    codec, anchor = _rising(codec), _rising(anchor)
    if math.isnan(delta_rate(codec, anchor, method).percent):
        return RelativeCurveDifference(np.empty(0), np.empty(0))
    _, codec_rate, anchor_rate = _interpolate(codec, anchor, method)
    quality = _shared_range(codec, anchor)
    percent = 100 * (10 ** (codec_rate(quality) - anchor_rate(quality)) - 1)
    return RelativeCurveDifference(quality, percent)


def _interpolate(
    codec: Sequence[Point], anchor: Sequence[Point], method: str
) -> tuple[float, _LogRate, _LogRate]:
    """The delta rate in percent of two rising curves that overlap, and the curves themselves."""
    with np.errstate(over="ignore"):  # a delta that is not finite is said to be none
        percent, anchor_rate, codec_rate = bjontegaard.bd_rate(
            [point.bpp for point in anchor],
            [point.quality for point in anchor],
            [point.bpp for point in codec],
            [point.quality for point in codec],
            method=method,
            require_matching_points=False,
            interpolators=True,
            min_overlap=0,
        )
    return float(percent), codec_rate, anchor_rate


def _shared_range(codec: Sequence[Point], anchor: Sequence[Point]) -> NDArray[np.float64]:
    """Evenly spaced qualities over the range that two rising curves share."""
    lowest = max(codec[0].quality, anchor[0].quality)
    return np.linspace(lowest, min(codec[-1].quality, anchor[-1].quality), _SAMPLES)


def _without_one(points: Sequence[Point]) -> list[list[Point]]:
    return [[*points[:index], *points[index + 1 :]] for index in range(len(points))]


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
