"""Masks: pasted into the image, encoded as COCO's run lengths, and decoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask


def paste_mask(
    mask: NDArray[np.float32], box: NDArray[np.float32], size: tuple[int, int]
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The pixels of an object.

    A pixel belongs to it where the mask, interpolated bilinearly at the pixel's centre and zero
    outside, reaches 0.5. Only pixels inside the box are computed.

    Args:
        mask: M x M, probabilities in the cells of the box.
        box: x0, y0, x1, y1 in pixels.
        size: height and width of the image.

    Returns:
        bool, h x w, and the row and column of its first pixel in the image.
    """
    cells = len(mask)
    top, down = _interpolation(box[1], box[3], cells, size[0])
    left, across = _interpolation(box[0], box[2], cells, size[1])
    return down @ mask @ across.T >= 0.5, (top, left)


def _interpolation(
    low: float, high: float, cells: int, length: int
) -> tuple[int, NDArray[np.float32]]:
    """The first pixel between low and high, and the weights (pixels x cells) of the cells."""
    first = max(int(np.floor(low)), 0)
    last = min(int(np.ceil(high)), length)
    centres = np.arange(first, last, dtype=np.float32) + np.float32(0.5)
    positions = (centres - low) / max(high - low, 1e-6) * cells - 0.5
    distances = np.abs(positions[:, None] - np.arange(cells, dtype=np.float32))
    return first, np.maximum(1 - distances, 0).astype(np.float32)


def encode_mask(pixels: NDArray[np.bool_], corner: tuple[int, int], size: tuple[int, int]) -> str:
    """COCO's compressed run lengths of a mask that is given by a part of the image.

    The whole image is never built: with many small objects that takes most of the time.

    Args:
        pixels: bool, h x w.
        corner: row and column of its first pixel in the image.
        size: height and width of the image.
    """
    framed = np.pad(pixels.T, ((0, 0), (1, 1))).astype(np.int8)
    columns, rows = np.nonzero(np.diff(framed, axis=1))
    changes = (corner[1] + columns) * size[0] + corner[0] + rows
    # where a run ends in the last row and the next column's begins in the first, both are one
    changes, times = np.unique(changes, return_counts=True)
    ends = np.concatenate([[0], changes[times == 1], [size[0] * size[1]]])
    counts = np.diff(ends).tolist()
    if len(counts) > 1 and counts[-1] == 0:
        counts.pop()
    encoded = coco_mask.frPyObjects({"size": list(size), "counts": counts}, *size)
    return str(encoded["counts"], "ascii")


def decode_mask(counts: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask, H x W, of COCO's compressed run lengths of an image of this size."""
    return coco_mask.decode({"size": list(size), "counts": counts.encode()}).astype(bool)
