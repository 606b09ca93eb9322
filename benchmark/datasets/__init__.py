"""Data sets: Miniscapes, Cityscapes, COCO's format, a folder of photographs."""

from __future__ import annotations

from pathlib import Path

from benchmark.datasets.dataset import Dataset
from benchmark.errors import UsageError

_KINDS = "miniscapes, cityscapes:PATH, coco:ANNOTATIONS:IMAGES, images:FOLDER"


def open_dataset(spec: str) -> Dataset:
    """The data set that is asked for.

    Args:
        spec: ``miniscapes``, ``cityscapes:PATH``, ``coco:ANNOTATIONS:IMAGES`` (a file and a
            folder; the file's path holds no colon), or ``images:FOLDER``.

    Raises:
        UsageError: if it is none of these, or files are missing.
    """
    kind, _, where = spec.partition(":")
    path = Path(where).expanduser()
    if spec == "miniscapes":
        from benchmark.datasets.miniscapes.split import miniscapes

        return miniscapes("val")
    if kind == "cityscapes" and where:
        from benchmark.datasets.cityscapes import cityscapes_val

        return cityscapes_val(path)
    if kind == "coco":
        from benchmark.datasets.coco import Coco

        annotations, _, images = where.partition(":")
        if not (annotations and images):
            raise UsageError(f"{spec!r} is not of the form coco:ANNOTATIONS:IMAGES")
        return Coco(Path(annotations).expanduser(), Path(images).expanduser())
    if kind == "images" and where:
        from benchmark.datasets.images import ImageFolder

        return ImageFolder(path)
    raise UsageError(f"there is no data set {spec!r}: it is one of {_KINDS}")


def open_training_split(spec: str, scenes: int) -> tuple[Dataset, Dataset]:
    """The training and the validation images of a data set with annotations.

    Args:
        spec: ``miniscapes`` or ``cityscapes:PATH``.
        scenes: number of training images of Miniscapes.

    Raises:
        UsageError: if it is another data set, or files are missing.
    """
    if spec == "miniscapes":
        from benchmark.datasets.miniscapes.split import miniscapes

        return miniscapes("train", scenes), miniscapes("val")
    kind, _, where = spec.partition(":")
    if kind == "cityscapes" and where:
        from benchmark.datasets.cityscapes import Cityscapes

        root = Path(where).expanduser()
        return Cityscapes(root, "train"), Cityscapes(root, "val")
    raise UsageError(f"{spec!r} cannot be trained on: use miniscapes or cityscapes:PATH")
