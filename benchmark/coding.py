"""Code an image of any size with a codec at a rate point, and decode it again.

Beside the codec's own settings, a rate point can be a rate: its setting is found by bisection for
each image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.codec import Codec, RatePoint
from benchmark.errors import UsageError
from benchmark.image import Image, with_even_sides
from benchmark.rate_point import TARGET

_NEAR_ENOUGH = 0.99
"""The part of a target rate at which the search ends."""

_MOST_STEPS = 14


@dataclass(frozen=True)
class Coded:
    """A bitstream, and the name of the setting that a target rate has led to; else None."""

    bitstream: bytes
    setting: str | None = None


def prepare(codec: Codec, rate_point: RatePoint) -> None:
    """Let a codec load what coding at a rate point needs."""
    if not _is_target(codec, rate_point):
        codec.prepare(rate_point)


def encode(codec: Codec, image: Image, rate_point: RatePoint) -> Coded:
    """Return the bitstream of an image (uint8, H x W x 3, RGB) of any size.

    Raises:
        UsageError: if the codec returns anything else than bytes.
        ValueError: if the codec cannot reach a target rate.
        Exception: whatever the codec raises.
    """
    height, width = image.shape[:2]
    image = with_even_sides(image)
    if _is_target(codec, rate_point):
        return Coded(*_search(codec, image, rate_point.value * height * width / 8, rate_point))
    return Coded(_encoded(codec, image, rate_point))


def decode(codec: Codec, bitstream: bytes, size: tuple[int, int] | None = None) -> Image:
    """Return the decoded image (uint8, H x W x 3, RGB).

    Args:
        codec: another object than the one that encoded.
        bitstream: what `encode` made.
        size: height and width of the image that was encoded; None for that of the bitstream, which
            has an odd last row or column once more.

    Raises:
        UsageError: if the codec decodes no image, or one that is not of the size.
        Exception: whatever the codec raises.
    """
    decoded = codec.decode(bitstream)
    shape, kind = getattr(decoded, "shape", ()), getattr(decoded, "dtype", type(decoded))
    height, width = size or shape[:2] or (0, 0)
    expected = (height + height % 2, width + width % 2, 3)
    if shape != expected or kind != np.uint8:
        raise UsageError(
            f"codec {codec.name} decoded uint8 of shape {expected} as {kind} of shape {shape}"
        )
    return np.ascontiguousarray(decoded[:height, :width])


def _is_target(codec: Codec, rate_point: RatePoint) -> bool:
    return rate_point.parameter == TARGET != codec.rate_points[0].parameter


def _search(codec: Codec, image: Image, budget: float, rate_point: RatePoint) -> tuple[bytes, str]:
    """The largest bitstream of at most ``budget`` bytes that bisection finds, and its setting.

    The rate rises, or falls, with the codec's parameter, as from its first rate point to its last.
    """
    assert codec.value_range is not None
    points = codec.rate_points
    low, high = codec.value_range
    rises = points[-1].value >= points[0].value
    fits, too_much = (low, high) if rises else (high, low)
    if codec.whole_numbers:
        too_much += 1 if rises else -1  # which is never tried, as all values in between are
    point = RatePoint(points[0].parameter, fits)
    best = _encoded(codec, image, point)
    if len(best) > budget:
        raise ValueError(
            f"codec {codec.name} takes {len(best)} bytes at {point.name} already, and "
            f"{rate_point.name} leaves it {max(0, int(budget))} for this image"
        )
    for _ in range(_MOST_STEPS):
        middle = (fits + too_much) / 2
        value = float(int(middle)) if codec.whole_numbers else float(f"{middle:.4g}")
        if len(best) >= _NEAR_ENOUGH * budget or value in (fits, too_much):
            break
        tried = RatePoint(point.parameter, value)
        bitstream = _encoded(codec, image, tried)
        if len(bitstream) > budget:
            too_much = value
        else:
            fits, best, point = value, bitstream, tried
    return best, point.name


def _encoded(codec: Codec, image: Image, rate_point: RatePoint) -> bytes:
    bitstream = codec.encode(image.copy(), rate_point)
    if not isinstance(bitstream, bytes) or not bitstream:
        what = "an empty bitstream" if bitstream == b"" else f"no bytes, but {type(bitstream)}"
        raise UsageError(f"codec {codec.name} made {what}")
    return bitstream
