"""Rate points: the settings of a codec's rate control, and how they are named."""

from __future__ import annotations

import contextlib
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from benchmark.errors import UsageError

TARGET = "bpp"
"""The parameter of rate points that are a rate: the setting is searched for each image."""

_AT = "@"
"""What stands between a setting and a scale in the name of a rate point."""


@dataclass(frozen=True)
class RatePoint:
    """One setting of a codec's rate control.

    Attributes:
        parameter: what is set, for example ``qp``; `TARGET` where the rate itself is asked for.
        value: what it is set to, for example 32.
        scale: by which both sides of an image are multiplied before it is coded: above 0, at most
            1. A codec sees 1 only (`benchmark.coding`).
    """

    parameter: str
    value: float
    scale: float = 1.0

    @property
    def name(self) -> str:
        """Safe as a folder name, for example ``qp32``, ``lambda0.02`` or ``qp32@0.5``."""
        scaled = "" if self.scale == 1 else f"{_AT}{self.scale:g}"
        return f"{self.parameter}{self.value:g}{scaled}"


def rate_points(parameter: str, *values: float) -> tuple[RatePoint, ...]:
    """The rate points at which ``parameter`` takes each of ``values``, in their order."""
    return tuple(RatePoint(parameter, value) for value in values)


def scale_of(value: float | str) -> float:
    """Return a scale as it is asked for, to the six digits that a rate point's name has.

    Raises:
        UsageError: if it is no number above 0 and at most 1.
    """
    with contextlib.suppress(ValueError, TypeError):
        scale = float(f"{float(value):g}")
        if 0 < scale <= 1:
            return scale
    raise UsageError(
        f"scale {value}: a number above 0 and at most 1 is needed, by which both sides of an image "
        "are multiplied before it is coded"
    )


def scales_of(values: Iterable[float | str]) -> tuple[float, ...]:
    """Return the scales of a run.

    Raises:
        UsageError: if one is none (`scale_of`), one is there twice, or there is none at all.
    """
    scales = Counter(map(scale_of, values))
    if twice := [f"{scale:g}" for scale, times in scales.items() if times > 1]:
        raise UsageError(f"--scales names {', '.join(twice)} more than once")
    if not scales:
        raise UsageError("--scales names none: 1 is the images' own size")
    return tuple(scales)


def scale_in(name: str) -> float:
    """Return the scale in the name of a rate point: 0.5 for ``qp32@0.5``, 1 for ``qp32``."""
    scale = name.partition(_AT)[2]
    return float(scale) if scale else 1.0


@dataclass(frozen=True)
class Settings:
    """What a codec can be set to (`benchmark.codec.Codec`), to find its rate points by name."""

    codec: str
    points: tuple[RatePoint, ...]
    value_range: tuple[float, float] | None
    whole_numbers: bool

    def named(self, name: str) -> RatePoint:
        """Return the rate point called ``name``.

        Raises:
            UsageError: if the codec has none of that name, or would round its value.
        """
        plain, at, scale = name.partition(_AT)
        if at:
            point = self.named(plain)
            scaled = replace(point, scale=scale_of(scale))
            if scaled.name != name:
                raise UsageError(f"codec {self.codec}: the rate point {name!r} is {scaled.name}")
            return scaled
        for point in self.points:
            if point.name == name:
                return point
        parameter = self.points[0].parameter
        known = ", ".join(point.name for point in self.points)
        if self.value_range is not None:
            low, high = self.value_range
            known += f", or any {parameter}{low:g} to {parameter}{high:g}, or a rate as {TARGET}0.1"
            asked = _parsed(parameter, name)
            if asked and low <= asked.value <= high:
                if self.whole_numbers and asked.value % 1:
                    raise UsageError(f"codec {self.codec} takes whole numbers only, not {name}")
                return asked
            rate = _parsed(TARGET, name)
            if rate and 0 < rate.value < math.inf:
                return rate
        raise UsageError(f"codec {self.codec} has no rate point {name!r}: it has {known}")


def _parsed(parameter: str, name: str) -> RatePoint | None:
    with contextlib.suppress(ValueError):
        point = RatePoint(parameter, float(name.removeprefix(parameter)))
        return point if point.name == name else None
    return None


def wrong_rate_points(points: Any, whole_numbers: bool) -> str:
    """What is wrong with a codec's own rate points; empty for nothing.

    Two points of one name would write to the same files, and the records of both would be lost.
    """
    if not isinstance(points, tuple | list) or not points:
        return f"has no rate points, but {points!r:.60}: give some by rate_points(PARAMETER, ...)"
    for point in points:
        if not isinstance(point, RatePoint):
            return f"has the rate point {point!r:.60}, which is no RatePoint"
        number = isinstance(point.value, int | float) and math.isfinite(point.value)
        if not number or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", str(point.parameter)):
            return f"has the rate point {point.parameter} = {point.value!r:.60}: values are numbers"
    names = Counter(point.name for point in points)
    if twice := [name for name, times in names.items() if times > 1]:
        return (
            f"has more than one rate point called {', '.join(twice)}: keep one of each, and let "
            "values differ in their first six digits"
        )
    if whole_numbers and any(point.value % 1 for point in points):
        return f"takes whole numbers only, but has the rate points {', '.join(names)}"
    return ""
