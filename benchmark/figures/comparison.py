"""Decoded images side by side at about the same rate, with what was detected in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.dataset import Category, Instance
from benchmark.evaluation.pictures import SHOWN_SCORE
from benchmark.figures.style import TWO_COLUMNS, rgb
from benchmark.image import Image

_COLUMNS = 3
_CROPS = 2
_CROP = 4
"""A crop's sides are the image's, divided by this."""


@dataclass(frozen=True)
class Shown:
    """An image with what was detected in it, and its caption."""

    caption: str
    image: Image
    detections: Sequence[Detection]


Corner = tuple[int, int]
"""Row and column of a crop's upper left pixel."""


def draw_comparison(
    shown: Sequence[Shown], categories: Sequence[Category], corners: Sequence[Corner]
) -> Figure:
    """A panel an image: the whole with its detections, two crops of it, and its caption.

    Args:
        shown: images of one size.
        categories: of the detections; each has a colour.
        corners: of the crops.
    """
    height, width = shown[0].image.shape[:2]
    columns = 2 if len(shown) == 4 else min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    side = TWO_COLUMNS / columns
    figure = Figure(
        figsize=(TWO_COLUMNS, rows * (1.5 * side * height / width + 0.15)),
        layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.01, wspace=0.02, hspace=0.02),
    )
    cells = figure.subfigures(rows, columns, squeeze=False)
    for cell, its in zip(cells.flat, shown, strict=False):
        places = cell.subplot_mosaic(
            [["whole"] * _CROPS, [f"crop{number}" for number in range(_CROPS)]],
            height_ratios=(2, 1),
        )
        outlined = with_outlines(its, categories)
        _draw_whole(places["whole"], outlined, corners)
        for number, (row, column) in enumerate(corners):
            part = np.s_[row : row + height // _CROP, column : column + width // _CROP]
            _show(places[f"crop{number}"], outlined[part])
        places["whole"].set_title(its.caption, fontsize=7, pad=2)
    return figure


def choose_crops(
    shape: tuple[int, int], instances: Sequence[Instance], detections: Sequence[Detection]
) -> list[Corner]:
    """Where to look closer: at objects, or in the middle.

    Args:
        shape: height and width of the image.
        instances: what is annotated in it.
        detections: what was detected in it, taken where nothing is annotated.
    """
    height, width = shape
    masks = [its.mask for its in instances if not its.ignored]
    masks = masks or [its.mask() for its in detections]
    boxes = sorted(
        (abs(math.log(mask.sum() / (height * width / _CROP**2 / 3))), _centre(mask))
        for mask in masks
        if mask.any()
    )
    centres: list[tuple[float, float]] = []
    fallback = [(height / 2, width / 2), (height / 4, width / 2), (3 * height / 4, width / 2)]
    for centre in [*(centre for _, centre in boxes), *fallback]:
        if len(centres) < _CROPS and all(_apart(centre, other, shape) for other in centres):
            centres.append(centre)
    return [
        (
            int(min(max(0, row - height / _CROP / 2), height - height // _CROP)),
            int(min(max(0, column - width / _CROP / 2), width - width // _CROP)),
        )
        for row, column in centres
    ]


def _draw_whole(axes: Axes, outlined: Image, corners: Sequence[Corner]) -> None:
    height, width = outlined.shape[:2]
    _show(axes, outlined)
    for row, column in corners:
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5),
                *(width // _CROP, height // _CROP),
                fill=False,
                ec="white",
                lw=0.7,
                ls="--",
            )
        )


def shown_detections(its: Shown, categories: Sequence[Category]) -> list[Detection]:
    """Return the detections that are drawn: certain enough and of these categories, the surest
    last.
    """
    known = {category.id for category in categories}
    drawn = (one for one in its.detections if one.category_id in known)
    return sorted((one for one in drawn if one.score >= SHOWN_SCORE), key=lambda one: one.score)


def with_outlines(its: Shown, categories: Sequence[Category]) -> Image:
    """Return the image, each shown detection outlined in the colour of its class."""
    colours = {category.id: number for number, category in enumerate(categories)}
    canvas = its.image.copy()
    for detection in shown_detections(its, categories):
        canvas[_outline(detection.mask())] = rgb(colours[detection.category_id])
    return canvas


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def _show(axes: Axes, image: Image) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_axis_off()


def _centre(mask: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def _apart(centre: tuple[float, float], other: tuple[float, float], shape: tuple[int, int]) -> bool:
    """Whether two crops around these do not overlap."""
    return any(abs(a - b) >= side / _CROP for a, b, side in zip(centre, other, shape, strict=True))
