"""Code an image of any size with a codec at a rate point, and decode it again.

Beside the codec's own settings, a rate point can be a rate: its setting is found by bisection for
each image. And it can have a scale: the image is made smaller before it is coded, and as large as
it was after it is decoded, both by Pillow's Lanczos filter (which widens as it reduces, against
aliasing). The size to go back to is the last four bytes of such a bitstream, so that it decodes
alone; they count in its rate.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
import PIL.Image

from benchmark.codec import Codec, RatePoint
from benchmark.errors import UsageError
from benchmark.image import Image, with_even_sides
from benchmark.rate_point import TARGET

_SIZE = struct.Struct(">HH")
"""Height and width of the image, behind the bitstream of a scaled one."""

_LONGEST_SIDE = 0xFFFF

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
        codec.prepare(replace(rate_point, scale=1.0))


def encode(codec: Codec, image: Image, rate_point: RatePoint) -> Coded:
    """Return the bitstream of an image (uint8, H x W x 3, RGB) of any size.

    Raises:
        UsageError: if the codec returns anything else than bytes.
        ValueError: if the codec cannot reach a target rate, or the image is too small or too large
            for the scale.
        Exception: whatever the codec raises.
    """
    height, width = image.shape[:2]
    trailer = b""
    if rate_point.scale != 1:
        image = _resized(image, scaled_size(height, width, rate_point.scale))
        trailer = _SIZE.pack(height, width)
    image = with_even_sides(image)
    if _is_target(codec, rate_point):
        budget = rate_point.value * height * width / 8 - len(trailer)
        bitstream, setting = _search(codec, image, budget, rate_point)
        return Coded(bitstream + trailer, setting)
    return Coded(_encoded(codec, image, replace(rate_point, scale=1.0)) + trailer)


def decode(
    codec: Codec, bitstream: bytes, size: tuple[int, int] | None = None, scale: float = 1.0
) -> Image:
    """Return the decoded image (uint8, H x W x 3, RGB).

    Args:
        codec: another object than the one that encoded.
        bitstream: what `encode` made.
        size: height and width of the image that was encoded; None for that of the bitstream, which
            has an odd last row or column once more where the scale is 1.
        scale: that of the rate point.

    Raises:
        UsageError: if the codec decodes no image, or one that is not of the size.
        ValueError: if the bitstream of a scaled image does not end with its size.
        Exception: whatever the codec raises.
    """
    if scale == 1:
        return _decoded(codec, bitstream, size)
    whole = bitstream[-_SIZE.size :]
    if len(whole) < _SIZE.size or size not in (None, _SIZE.unpack(whole)):
        raise ValueError("the bitstream of a scaled image does not end with the image's size")
    height, width = _SIZE.unpack(whole)
    small = scaled_size(height, width, scale)
    return _resized(_decoded(codec, bitstream[: -_SIZE.size], small), (height, width))


def scaled_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Return height and width, in pixels, of an image as it is coded at a scale: even numbers.

    Raises:
        ValueError: if less than a pixel is left of a side, or a side has over 65535 pixels.
    """
    if min(height, width) * scale < 1 or max(height, width) > _LONGEST_SIDE:
        raise ValueError(
            f"an image of {width} x {height} cannot be coded at the scale {scale:g}: a side has at "
            f"most {_LONGEST_SIDE} pixels, and at least one is left of it"
        )
    return max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2))


def _resized(image: Image, size: tuple[int, int]) -> Image:
    height, width = size
    picture = PIL.Image.fromarray(image).resize((width, height), PIL.Image.Resampling.LANCZOS)
    return np.array(picture)


def _decoded(codec: Codec, bitstream: bytes, size: tuple[int, int] | None) -> Image:
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
