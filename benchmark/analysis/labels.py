"""What the networks that others trained have in common: their files, COCO's classes, detections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.analysis.analysis_network import Detection
from benchmark.analysis.masks import encode_mask
from benchmark.datasets.cityscapes import CATEGORIES
from benchmark.errors import UsageError

_IDS = {category.name: category.id for category in CATEGORIES}
LABEL_ID_OF_COCO_ID = {
    1: _IDS["person"],
    2: _IDS["bicycle"],
    3: _IDS["car"],
    4: _IDS["motorcycle"],
    6: _IDS["bus"],
    7: _IDS["train"],
    8: _IDS["truck"],
}
"""Cityscapes' label id of each COCO class that Cityscapes has too. COCO knows no riders."""


def read_file(path: Path, what: str) -> bytes:
    """The content of a file of weights.

    Args:
        path: the file.
        what: what it should hold, for the message.

    Raises:
        UsageError: if it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: it should hold {what}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def detection(
    label_id: int,
    score: float,
    box: NDArray[np.float32],
    pixels: NDArray[np.bool_],
    corner: tuple[int, int],
    size: tuple[int, int],
) -> Detection:
    """A detection, from a mask that is given by a part of the image.

    Args:
        label_id: Cityscapes' id of the class.
        score: confidence, 0 to 1; kept to 5 decimals.
        box: x0, y0, x1, y1 in pixels; kept to 2 decimals.
        pixels: bool, h x w.
        corner: row and column of the first of them in the image.
        size: height and width of the image.
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    return Detection(
        category_id=label_id,
        score=round(score, 5),
        box=(round(x0, 2), round(y0, 2), round(x1 - x0, 2), round(y1 - y0, 2)),
        size=size,
        counts=encode_mask(pixels, corner, size),
    )
