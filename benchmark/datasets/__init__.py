"""Data sets: Miniscapes, Cityscapes, COCO's format, a folder of photographs, and plug-ins."""

from __future__ import annotations

from benchmark.datasets.dataset import DATASETS, Dataset, HasTrainingSplit
from benchmark.errors import UsageError
from benchmark.plugins import guarded


def open_dataset(spec: str) -> Dataset:
    """Return the data set that ``NAME`` or ``NAME:WHERE`` asks for.

    Raises:
        UsageError: if there is none of that name, or files are missing or wrong.
    """
    name, where = DATASETS.split(spec)
    found = DATASETS.load(name)
    return guarded(f"the data set {spec} cannot be opened", lambda: found.open(where))


def open_training_split(spec: str, images: int) -> tuple[Dataset, Dataset]:
    """Return the training and the validation images of a data set with annotations.

    Args:
        spec: ``NAME`` or ``NAME:WHERE``.
        images: how many to train on, of a data set that is drawn.

    Raises:
        UsageError: if it has no training images, or files are missing.
    """
    name, where = DATASETS.split(spec)
    found = DATASETS.load(name)
    if not isinstance(found, HasTrainingSplit):
        raise UsageError(f"{spec!r} cannot be trained on: use {trainable()}")
    return guarded(
        f"the data set {spec} cannot be opened", lambda: found.open_training(where, images)
    )


def trainable() -> str:
    """Return the forms of the data sets that networks can be trained on, for help."""
    found = DATASETS.found()
    return ", ".join(found[name].form for name in found if "open_training" in found[name].methods)
