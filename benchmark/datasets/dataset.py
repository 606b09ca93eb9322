"""What a data set is: images with stable names, and the instances in them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from benchmark.errors import UsageError
from benchmark.image import Image
from benchmark.plugins import Kind


@dataclass(frozen=True)
class Category:
    """A class of objects; ``id`` is the data set's own (Cityscapes: the label id)."""

    id: int
    name: str


@dataclass(frozen=True)
class Picture:
    """An image of a data set, not yet read.

    Attributes:
        id: its number in the whole data set, the same however many images a run takes.
        name: its stable name, safe as a file name.
        path: its file.
    """

    id: int
    name: str
    path: Path


@dataclass(frozen=True)
class Instance:
    """An annotated object.

    Attributes:
        category_id: its class.
        mask: bool, H x W, True where the object is visible.
        ignored: True for a group of objects and for regions without annotations; a detection
            there is neither right nor wrong (COCO's ``iscrowd``).
    """

    category_id: int
    mask: NDArray[np.bool_]
    ignored: bool


class Dataset(ABC):
    """Images with their instances.

    ``python -m benchmark check NAME:WHERE`` puts a data set through all that is asked for here.

    Attributes:
        name: what it is asked for by, and what reports call it.
        where: what follows the colon of ``--dataset NAME:WHERE``: empty for nothing, ``PATH`` for
            something that must, ``[PATH]`` for something that may.
        pictures: all images, sorted by name.
        categories: the classes of its instances; none for images without annotations.
    """

    name: str
    where: ClassVar[str] = ""
    pictures: Sequence[Picture]
    categories: Sequence[Category]

    @classmethod
    @abstractmethod
    def open(cls, where: str) -> Dataset:
        """Return the data set that ``NAME:WHERE`` asks for.

        Raises:
            UsageError: if files are missing or wrong; they are named.
        """

    @abstractmethod
    def instances(self, picture: Picture) -> list[Instance]:
        """The annotated objects of one of the data set's images."""

    @abstractmethod
    def annotation_bytes(self, picture: Picture) -> bytes:
        """What the annotations of an image are made from; empty where there are none."""


@runtime_checkable
class HasTrainingSplit(Protocol):
    """What a class of data sets has beside `Dataset`'s methods where networks can be trained."""

    @classmethod
    def open_training(cls, where: str, images: int) -> tuple[Dataset, Dataset]:
        """Return the training and the validation images of ``NAME:WHERE``.

        Args:
            where: what follows the colon.
            images: how many to train on, where they can be made; else all that there are.

        Raises:
            UsageError: if files are missing or wrong; they are named.
        """
        ...


DATASETS: Kind[Dataset] = Kind("data set", "benchmark.datasets", Dataset)


def read_image(path: Path) -> Image:
    """Reads an image file as RGB.

    An odd last row or column is left out: codecs with 4:2:0 chroma cannot hold it.

    Raises:
        UsageError: if the file is not a readable image.
    """
    try:
        with PIL.Image.open(path) as file:
            image = np.asarray(file.convert("RGB"))
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise UsageError(f"{path} is not a readable image: {error}") from error
    height, width = image.shape[:2]
    if height < 2 or width < 2:
        raise UsageError(f"{path} is {width} x {height}: an image needs at least 2 x 2 pixels")
    return np.ascontiguousarray(image[: height // 2 * 2, : width // 2 * 2])


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 of an image's pixels and of its annotations, whatever the files' compression."""

    pixels: str
    annotations: str


def fingerprint(dataset: Dataset, picture: Picture) -> Fingerprint:
    """What tells an image of a data set from another of the same name."""
    image = read_image(picture.path)
    pixels = hashlib.sha256(repr(image.shape).encode() + image.tobytes())
    annotations = hashlib.sha256(dataset.annotation_bytes(picture))
    return Fingerprint(pixels.hexdigest(), annotations.hexdigest())
