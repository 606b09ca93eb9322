"""Bjontegaard delta rates between rate-quality curves, and what makes one doubtful.

The default interpolation, the relative curve difference and the uncertainty are what Herglotz et
al. recommend in "The Bjontegaard Bible" (arXiv 2304.12852).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np
from bjontegaard.interpolation import interpolate
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

_INTERPOLATIONS = ("akima", "pchip", "cubic")
_ISOTONIC = "isotonic"

METHODS = (*_INTERPOLATIONS, _ISOTONIC)
"""Ways to interpolate between rate points; the first is the default.

``isotonic`` fits a curve that does not fall to all points (least squares) before PCHIP goes through
it, where the others leave points out that bring no more quality. MPEG's scripts do so for wAP and
the like, whose curves are noisy.
"""

_FEWEST_POINTS = {"akima": 2, "pchip": 2, "cubic": 4, _ISOTONIC: 2}
_GOOD_OVERLAP = 0.75
_SAMPLES = 500
_NOISE = 1e-6
"""A fall of the interpolated rate by less than this part of its range is rounding."""

_SATURATED = 20
"""A piece of a curve so many times as steep as the whole pays bits for hardly any quality."""

_FAR_APART = 1.15
"""Interpolations whose rates differ by more than this factor disagree."""

_KEPT_CURVES = 4096
"""Interpolated curves that are kept: each is compared with all others."""

_LogRate = Any
"""The decimal logarithm of a curve's rate as a function of the quality, which it can `integrate`
from one to another."""


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

    def log_rate(self, quality: float) -> float:
        """The decimal logarithm of the rate at a quality; NaN beyond the curve."""
        if self._log_rate is None or not self._quality[0] <= quality <= self._quality[-1]:
            return math.nan
        return float(self._log_rate(quality))

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
    that costs more bits than another for no more quality is left out, or pooled with it where the
    method is ``isotonic``, and the note says so.

    Args:
        codec: the codec's rate points, in any order.
        anchor: the anchor's rate points.
        method: one of `METHODS`.
    """
    notes = []
    curves = []
    for name, points in (("codec", codec), ("anchor", anchor)):
        curve = _monotone(points, method)
        if fewer := len(points) - len(curve):
            what = "pooled with others" if method == _ISOTONIC else "left out"
            notes.append(f"{name} not monotone: {fewer} of {len(points)} points {what}")
        curves.append(curve)
    shared = _overlap(*curves)
    if min(map(len, curves)) < _FEWEST_POINTS[method]:
        return DeltaRate(math.nan, shared, "; ".join([*notes, "too few points"]))
    if shared == 0:
        return DeltaRate(math.nan, shared, "; ".join([*notes, "no overlap in quality"]))
    if shared < _GOOD_OVERLAP:
        notes.append(f"curves share only {shared:.0%} of the quality range")
    percent, *log_rates = _interpolate(curves[0], curves[1], method)
    for name, curve, log_rate in zip(("codec", "anchor"), curves, log_rates, strict=True):
        notes += _shape_notes(name, curve, log_rate, _shared_qualities(*curves), method)
    notes += _disagreement(percent, curves[0], curves[1], method)
    if not -100 < percent < math.inf:
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
    if method != _ISOTONIC:
        codec, anchor = _rising(codec), _rising(anchor)
    whole, *without = (
        _percent(_monotone(one, method), _monotone(other, method), method)
        for one, other in [
            (codec, anchor),
            *((rest, anchor) for rest in _without_one(codec)),
            *((codec, rest) for rest in _without_one(anchor)),
        ]
    )
    changes = [abs(percent - whole) for percent in without if math.isfinite(percent)]
    largest = max(changes, default=math.nan)
    return Uncertainty(largest, not abs(whole) > largest)


def relative_curve_difference(
    codec: Sequence[Point], anchor: Sequence[Point], method: str = "akima"
) -> RelativeCurveDifference:
    """The rate of a codec relative to the anchor's, at all qualities that both reach.

    Args:
        codec, anchor, method: as for `delta_rate`; points that it leaves out are left out.
    """
    codec, anchor = _monotone(codec, method), _monotone(anchor, method)
    if not math.isfinite(_percent(codec, anchor, method)):
        return RelativeCurveDifference(np.empty(0), np.empty(0))
    _, codec_rate, anchor_rate = _interpolate(codec, anchor, method)
    quality = _shared_qualities(codec, anchor)
    percent = 100 * (10 ** (codec_rate(quality) - anchor_rate(quality)) - 1)
    return RelativeCurveDifference(quality, percent)


def _percent(codec: Sequence[Point], anchor: Sequence[Point], method: str) -> float:
    """The delta rate in percent of two rising curves; NaN where there is none."""
    if min(len(codec), len(anchor)) < _FEWEST_POINTS[method] or _overlap(codec, anchor) == 0:
        return math.nan
    return _interpolate(codec, anchor, method)[0]


def _shared_qualities(codec: Sequence[Point], anchor: Sequence[Point]) -> NDArray[np.float64]:
    """Evenly spaced over the range that two rising curves share."""
    lowest = max(codec[0].quality, anchor[0].quality)
    highest = min(codec[-1].quality, anchor[-1].quality)
    return np.linspace(lowest, highest, _SAMPLES)


def _shape_notes(
    name: str,
    curve: Sequence[Point],
    log_rate: _LogRate,
    qualities: NDArray[np.float64],
    method: str,
) -> list[str]:
    """What is to be doubted about an interpolated curve over the shared qualities."""
    notes = []
    rates = log_rate(qualities)
    swing = float(np.ptp(rates))
    if not np.isfinite(rates).all() or (np.diff(rates) < -_NOISE * max(swing, 1e-12)).any():
        notes.append(f"{method} interpolation of {name} is not monotone")
    slopes = [
        (math.log10(after.bpp) - math.log10(before.bpp)) / (after.quality - before.quality)
        for before, after in pairwise(curve)
    ]
    whole = math.log10(curve[-1].bpp) - math.log10(curve[0].bpp)
    mean = whole / (curve[-1].quality - curve[0].quality)
    if max(slopes) > _SATURATED * mean:
        after = curve[slopes.index(max(slopes)) + 1]
        notes.append(f"{name} saturated at {after.bpp:.3g} bpp: more bits, hardly more quality")
    return notes


def _disagreement(
    percent: float, codec: Sequence[Point], anchor: Sequence[Point], method: str
) -> list[str]:
    """That another interpolation gives quite another delta, if one does."""
    others = {other: _percent(codec, anchor, other) for other in _INTERPOLATIONS if other != method}
    known = {other: value for other, value in others.items() if not math.isnan(value)}
    far = {
        other: value
        for other, value in known.items()
        if not math.isfinite(percent)
        or not math.isfinite(value)
        or not 1 / _FAR_APART < (100 + percent + 1e-9) / (100 + value + 1e-9) < _FAR_APART
    }
    if not far:
        return []
    told = ", ".join(
        f"{other} {value:+.1f} %" if math.isfinite(value) else f"{other} infinite"
        for other, value in far.items()
    )
    return [f"interpolations disagree: {told}"]


def _interpolate(
    codec: Sequence[Point], anchor: Sequence[Point], method: str
) -> tuple[float, _LogRate, _LogRate]:
    """The delta rate in percent of two rising curves that overlap, and the curves themselves."""
    codec_rate, anchor_rate = (_interpolated(tuple(its), method) for its in (codec, anchor))
    lowest = max(codec[0].quality, anchor[0].quality)
    highest = min(codec[-1].quality, anchor[-1].quality)
    area = codec_rate.integrate(lowest, highest) - anchor_rate.integrate(lowest, highest)
    with np.errstate(over="ignore"):  # an infinite delta is told as such
        percent = (np.float64(10) ** (area / (highest - lowest)) - 1) * 100
    return float(percent), codec_rate, anchor_rate


@functools.lru_cache(_KEPT_CURVES)
def _interpolated(curve: tuple[Point, ...], method: str) -> _LogRate:
    """A rising curve between its points."""
    qualities = np.array([point.quality for point in curve])
    log_rate = np.log10([point.bpp for point in curve])
    return interpolate(qualities, log_rate, "pchip" if method == _ISOTONIC else method)


def _without_one(points: Sequence[Point]) -> list[list[Point]]:
    return [[*points[:index], *points[index + 1 :]] for index in range(len(points))]


def _monotone(points: Sequence[Point], method: str) -> list[Point]:
    """The points of a curve by rising rate and quality, as a method makes them so."""
    return _isotonic(tuple(points)) if method == _ISOTONIC else _rising(points)


@functools.lru_cache(_KEPT_CURVES)
def _isotonic(points: tuple[Point, ...]) -> list[Point]:
    """The least-squares fit of a quality that does not fall with the rate.

    Points that get the same quality become one, at the mean of the logarithms of their rates.
    """
    known = sorted((its for its in points if math.isfinite(its.quality)), key=lambda its: its.bpp)
    if not known:
        return []
    fitted = isotonic_regression([point.quality for point in known])
    blocks = [known[start:end] for start, end in pairwise(fitted.blocks)]
    return [
        Point(
            math.exp(fmean(math.log(its.bpp) for its in block)), fmean(its.quality for its in block)
        )
        for block in blocks
    ]


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
