"""What an analysis network is: the judge of all decoded images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.analysis.masks import decode_mask, encode_mask
from benchmark.image import Image


@dataclass(frozen=True)
class Detection:
    """An object that the analysis network found in an image.

    Attributes:
        category_id: its class, by the data set's ids (Cityscapes: label ids).
        score: confidence, 0 to 1.
        box: x, y, width, height in pixels.
        size: height and width of the image in pixels.
        counts: the mask, run-length encoded in COCO's compressed form; None of a network that
            finds boxes only.
    """

    category_id: int
    score: float
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    counts: str | None = None

    def to_coco(self, image_id: int) -> dict[str, Any]:
        """Return the detection as an entry of COCO's result format."""
        entry = {
            "image_id": image_id,
            "category_id": self.category_id,
            "score": self.score,
            "bbox": list(self.box),
        }
        if self.counts is None:
            return entry | {"size": list(self.size)}
        return entry | {"segmentation": {"size": list(self.size), "counts": self.counts}}

    @classmethod
    def from_coco(cls, entry: Mapping[str, Any]) -> Detection:
        """Return the detection that `to_coco` made an entry of."""
        mask = entry.get("segmentation", {})
        return cls(
            category_id=entry["category_id"],
            score=entry["score"],
            box=tuple(entry["bbox"]),
            size=tuple(mask.get("size") or entry["size"]),
            counts=mask.get("counts"),
        )

    @classmethod
    def from_mask(
        cls,
        category_id: int,
        score: float,
        box: NDArray[np.float32],
        pixels: NDArray[np.bool_],
        corner: tuple[int, int],
        size: tuple[int, int],
    ) -> Detection:
        """Return a detection whose mask is given by a part of the image.

        Args:
            category_id: its class.
            score: confidence, 0 to 1; kept to 5 decimals.
            box: x0, y0, x1, y1 in pixels; kept to 2 decimals.
            pixels: bool, h x w.
            corner: row and column of the first of them in the image.
            size: height and width of the image.
        """
        x0, y0, x1, y1 = (float(value) for value in box)
        return cls(
            category_id=category_id,
            score=round(score, 5),
            box=(round(x0, 2), round(y0, 2), round(x1 - x0, 2), round(y1 - y0, 2)),
            size=size,
            counts=encode_mask(pixels, corner, size),
        )

    def mask(self) -> NDArray[np.bool_]:
        """Return the mask, H x W; empty where there is none."""
        if self.counts is None:
            return np.zeros(self.size, bool)
        return decode_mask(self.counts, self.size)


class AnalysisNetwork(ABC):
    """Finds and segments objects; one network judges all codecs of a run."""

    name: str

    @abstractmethod
    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The objects found in each of the images, by falling score.

        Images of the same size that follow one another are computed as one batch: as many as the
        device has memory for.
        """

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """All that changes the detections: the hash of the weights, the thresholds."""


def batches(images: Sequence[Image]) -> Iterator[list[Image]]:
    """The images in order, those of the same size that follow one another together."""
    for _, same in groupby(images, key=lambda image: image.shape):
        yield list(same)
