"""What a data set is: images with stable names, and the instances in them."""

from __future__ import annotations

import hashlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets.image_file import read_image
from benchmark.errors import UsageError
from benchmark.plugins import Kind
from benchmark.system.files import LONGEST_NAME

Read = TypeVar("Read")


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
        """Return the annotated objects of an image, their masks in the size of `read_image`.

        Raises:
            UsageError: if the annotations have another size, or cannot be read.
        """

    @abstractmethod
    def annotation_bytes(self, picture: Picture) -> bytes:
        """What the annotations of an image are made from; empty where there are none."""

    def remarks(self, pictures: Sequence[Picture]) -> list[str]:
        """Say what is left out of these images, or not taken as it stands: a line each."""
        return []


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


def picture_name(path: str) -> str:
    """Return an image's name from its path below the data set's folder: with _ in place of /.

    Raises:
        UsageError: if a run folder could not hold a file of that name, or the name is no text here.
    """
    name = path.replace("/", "_")
    if not name.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in name):
        raise UsageError(
            f"the name of the image {path.encode(errors='surrogateescape')!r} is no text in this "
            f"locale, whose file names are in {sys.getfilesystemencoding()}: rename it, or choose "
            "a locale with UTF-8"
        )
    if len(os.fsencode(name)) > LONGEST_NAME:
        raise UsageError(
            f"the image {path} would be called {len(os.fsencode(name))} bytes long in a run "
            f"folder, and file systems take {LONGEST_NAME}: shorten its name or its folders'"
        )
    return name


def check_names(pictures: Sequence[Picture], where: Path) -> None:
    """Raise a `UsageError` if two images have the same name: one's results would be the other's."""
    paths: dict[str, Path] = {}
    for picture in pictures:
        other = paths.setdefault(picture.name, picture.path)
        if other is picture.path:
            continue
        if other == picture.path:
            raise UsageError(f"{where} lists {other} twice: its results would be mixed up")
        raise UsageError(
            f"two images of {where} are called {picture.name}: rename {other} or {picture.path}"
        )


def check_something_to_find(dataset: Dataset, pictures: Sequence[Picture], spec: str) -> None:
    """Raise a `UsageError` that says why, if no instance in the images counts.

    Without one there is no average precision, and an analysis network works in vain.

    Args:
        dataset: with categories.
        pictures: some of its images.
        spec: how the data set was asked for, for the message.
    """
    groups = 0
    for picture in pictures:
        for instance in dataset.instances(picture):
            if not instance.ignored:
                return
            groups += 1
    reasons = [f"all {groups} are groups (iscrowd)"] if groups else []
    reasons += dataset.remarks(pictures)
    if not reasons:
        classes = ", ".join(category.name for category in dataset.categories)
        reasons = [f"nothing in them is annotated as {classes}"]
    raise UsageError(
        f"{len(pictures)} images of {spec} hold no instance to find"
        + "".join(f"; {reason}" for reason in reasons)
        + "; --analysis none measures the rest"
    )


@dataclass(frozen=True)
class Fingerprint:
    """SHA-256 of an image's pixels and of its annotations, whatever the files' compression."""

    pixels: str
    annotations: str


def each_picture(
    read: Callable[[Dataset, Picture], Read], dataset: Dataset, pictures: Sequence[Picture]
) -> list[Read]:
    """Return what a function reads of each image; decoding files uses all cores."""
    import joblib

    return joblib.Parallel(n_jobs=-1, prefer="threads")(
        joblib.delayed(read)(dataset, picture) for picture in pictures
    )


def fingerprint(dataset: Dataset, picture: Picture) -> Fingerprint:
    """What tells an image of a data set from another of the same name."""
    image = read_image(picture.path)
    pixels = hashlib.sha256(repr(image.shape).encode() + image.tobytes())
    annotations = hashlib.sha256(dataset.annotation_bytes(picture))
    return Fingerprint(pixels.hexdigest(), annotations.hexdigest())
