"""Read masks in COCO's format: polygons, run lengths, and compressed run lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

_FARTHEST = 10
"""How far from the image a polygon may reach, in lengths of the image's longer side. pycocotools
walks along each edge in steps of a fifth of a pixel, in memory, and counts them with 32 bits."""

_MOST_IN_RUN = 2**32 - 1


class NoMask(ValueError):
    """An annotation has no mask; the message says what is there in its place, or is empty."""


def mask_of(segmentation: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return an annotation's mask as pycocotools draws it: bool, H x W.

    Args:
        segmentation: a list of polygons, each a list x0, y0, x1, y1, ... in pixels; or
            ``{"size": [H, W], "counts": ...}`` with the lengths of the runs, column by column, of
            pixels outside and inside in turn, as a list or in COCO's compressed form.
        size: the image's height and width in pixels.

    Raises:
        NoMask: if there is none, or only polygons of fewer than three points.
        ValueError: if it is malformed, or does not fit the image.
    """
    if isinstance(segmentation, dict):
        return _from_run_lengths(segmentation, size)
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, size)
    if segmentation is None:
        raise NoMask
    raise ValueError(f"its segmentation is {segmentation!r:.40}, neither polygons nor run lengths")


def _from_polygons(parts: list[Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    if not parts:
        raise NoMask
    polygons = [_polygon(part, size) for part in parts]
    drawn = [polygon for polygon in polygons if len(polygon) >= 6]
    if not drawn:
        raise NoMask(" (its polygons have fewer than three points)")
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(drawn, *size))) != 0


def _polygon(part: Any, size: tuple[int, int]) -> list[float]:
    if not isinstance(part, list):
        raise ValueError(f"a polygon is {part!r:.40}, where a list x0, y0, x1, y1, ... is expected")
    for value in part:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(f"a coordinate is {value!r:.40}, which is no number")
        if not abs(value) <= _FARTHEST * max(size):  # true of NaN and infinity
            raise ValueError(f"a coordinate is {value!r:.40}, the image is {size[1]} x {size[0]}")
    if len(part) % 2:
        raise ValueError(f"a polygon has {len(part)} numbers, which are not pairs of x and y")
    return part


def _from_run_lengths(segmentation: dict[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Not by pycocotools, which trusts the lengths and leaves other pixels as memory was."""
    stated, counts = segmentation.get("size"), segmentation.get("counts")
    if stated != list(size):
        raise ValueError(f"its size is {stated!r:.40}, the image's is {list(size)} (height, width)")
    if isinstance(counts, str):
        counts = _uncompressed(counts)
    if not isinstance(counts, list):
        raise ValueError(f"its run lengths (counts) are {counts!r:.40}")
    for count in counts:
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= _MOST_IN_RUN:
            raise ValueError(f"a run length is {count!r:.40}, which is no number of pixels")
    height, width = size
    if sum(counts) != height * width:
        raise ValueError(
            f"its run lengths add up to {sum(counts)}, the image has {height * width} pixels"
        )
    inside = np.arange(len(counts)) % 2 == 1
    return np.ascontiguousarray(np.repeat(inside, counts).reshape(width, height).T)


def _uncompressed(text: str) -> list[int]:
    """The run lengths of COCO's compressed form.

    A character holds, from its code minus 48, five bits and, as the sixth, whether more follow for
    the same number, the lowest first; the last character's fifth bit is the sign. From the fourth
    number on it is the difference to the number before the last.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise ValueError(f"its run lengths (counts) hold {character!r}")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("its run lengths (counts) end within a number")
    return counts
