"""What an analysis network is: the judge of all decoded images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.codec import Image


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
        """The objects found in each of the images, by falling score."""

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """All that changes the detections: the hash of the weights, the thresholds."""
