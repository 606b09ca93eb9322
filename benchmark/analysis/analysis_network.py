"""What an analysis network is: the judge of all decoded images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmark.analysis.masks import decode_mask, encode_mask
from benchmark.datasets.dataset import Category
from benchmark.image import Image
from benchmark.plugins import Kind

if TYPE_CHECKING:
    from torch import Tensor

    from benchmark.analysis.targets import Objects


@dataclass(frozen=True)
class Detection:
    """An object that the analysis network found in an image.

    Attributes:
        category_id: its class, by the network's ids; in a run folder, by the data set's.
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
    """Finds objects, and segments them if it can; one network judges all codecs of a run.

    A network that finds boxes only (`Detection.counts` is None) judges by the average precision of
    boxes. ``python -m benchmark check NAME:WHERE`` puts a network through all that is asked for
    here.

    Attributes:
        name: what it is asked for by; an object may have a longer one, such as its file's.
        where: what follows the colon of ``--analysis NAME:WHERE``: empty for nothing, ``FILE`` for
            something that must, ``[FILE]`` for something that may.
        categories: the classes that it detects, with its own ids, which `Detection.category_id`
            holds. They meet the data set's by their names (`benchmark.analysis.labels`).
    """

    name: str
    where: ClassVar[str] = ""
    categories: Sequence[Category]

    @classmethod
    @abstractmethod
    def open(cls, where: str, device: str) -> AnalysisNetwork:
        """Return the network that ``NAME:WHERE`` asks for.

        Args:
            where: what follows the colon.
            device: where it computes, ``cpu`` or ``cuda``.

        Raises:
            UsageError: if its weights are missing or unreadable.
        """

    @abstractmethod
    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Return the objects found in each of the images, by falling score.

        Images are uint8, H x W x 3, RGB, and may have any size. The same images give the same
        detections again. Images of the same size that follow one another are computed as one batch:
        as many as the device has memory for.
        """

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """Return all that changes the detections: the hash of the weights, the thresholds."""


class TrainingNetwork(Protocol):
    """The fixed weights of an analysis network, in a form that codecs can be trained with.

    An ``nn.Module`` of which every output can be differentiated with respect to the images. Images
    are N x 3 x H x W, RGB in [0, 1].
    """

    stride16_channels: int
    """Channels of `stride16_features`."""

    def to(self, device: Any) -> Self:
        """Move the weights to a device."""
        ...

    def stride16_features(self, images: Tensor) -> Tensor:
        """Return what LSMnet stands on: N x `stride16_channels` x H/16 x W/16, rounded up."""
        ...

    def features(self, images: Tensor) -> Levels:
        """Return the features whose distance is the feature loss."""
        ...

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width to which `AnalysisNetwork.detect` resizes an image.

        Losses and features are of images as they are: codecs are trained for what is detected
        only where the size stays.
        """
        ...

    def losses(self, features: Any, targets: Sequence[Objects]) -> Mapping[str, Tensor]:
        """Return the task loss as scalars whose sum it is.

        Args:
            features: what `features` returned for N images.
            targets: the objects of each image; label n stands for the n-th of the network's
                categories.
        """
        ...


class Levels(Protocol):
    """The features of N images."""

    @property
    def levels(self) -> Sequence[Tensor]:
        """The features by level, N x C x H/stride x W/stride each, the finest first."""
        ...


@runtime_checkable
class TrainsCodecs(Protocol):
    """What an analysis network that codecs can be trained with has beside `AnalysisNetwork`."""

    def training_network(self) -> TrainingNetwork:
        """Return the network with its weights fixed."""
        ...


NETWORKS: Kind[AnalysisNetwork] = Kind("analysis network", "benchmark.analysis", AnalysisNetwork)


def batches(images: Sequence[Image]) -> Iterator[list[Image]]:
    """The images in order, those of the same size that follow one another together."""
    for _, same in groupby(images, key=lambda image: image.shape):
        yield list(same)
