"""What an analysis network is: the judge of all decoded images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from benchmark.image import Image


@dataclass(frozen=True)
class Detection:
    """An object that the analysis network found in an image.

    Attributes:
        category_id: its class, by the data set's ids (Cityscapes: label ids).
        score: confidence, 0 to 1.
        box: x, y, width, height in pixels.
        size: height and width of the image in pixels.
        counts: the mask, run-length encoded in COCO's compressed form.
    """

    category_id: int
    score: float
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    counts: str


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
