"""Cityscapes, and every data set in its file layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets.dataset import Category, Dataset, Instance, Picture, check_names
from benchmark.datasets.image_file import read_instance_ids, shown_size
from benchmark.errors import UsageError

CATEGORIES = (
    Category(24, "person"),
    Category(25, "rider"),
    Category(26, "car"),
    Category(27, "truck"),
    Category(28, "bus"),
    Category(31, "train"),
    Category(32, "motorcycle"),
    Category(33, "bicycle"),
)
"""The eight classes with instances, by their label ids."""

VAL_IMAGES = 500
"""Number of images in Cityscapes' validation split."""

_IMAGE_SUFFIX = "_leftImg8bit.png"
_INSTANCES_SUFFIX = "_gtFine_instanceIds.png"
_NAMED = 3


class Cityscapes(Dataset):
    """Images in ``leftImg8bit/SPLIT/CITY/``, instance ids in ``gtFine/SPLIT/CITY/``."""

    categories: Sequence[Category] = CATEGORIES

    def __init__(self, root: Path, split: str = "val", *, name: str = "cityscapes") -> None:
        """Finds the images and checks that each has its instance ids.

        Raises:
            UsageError: naming the files or folders that are missing.
        """
        self.name = name
        self._annotations = root / "gtFine" / split
        images = root / "leftImg8bit" / split
        for folder in (images, self._annotations):
            if not folder.is_dir():
                raise UsageError(
                    f"{folder} does not exist: {name} needs the folders leftImg8bit/{split} and "
                    f"gtFine/{split} below {root}"
                )
        paths = sorted(
            images.glob("*/*" + _IMAGE_SUFFIX), key=lambda path: (path.name, path.parent.name)
        )
        if not paths:
            raise UsageError(f"{images} holds no CITY/*{_IMAGE_SUFFIX}: unpack the images there")
        self.pictures = [
            Picture(number, path.name.removesuffix(_IMAGE_SUFFIX), path)
            for number, path in enumerate(paths)
        ]
        check_names(self.pictures, images)
        self._check_annotations()

    def instances(self, picture: Picture) -> list[Instance]:
        ids = self.instance_ids(picture)
        found = []
        for value in np.flatnonzero(np.bincount(ids.ravel())):  # np.unique would sort the pixels
            label = int(value) // 1000 if value >= 1000 else int(value)
            if label in _LABEL_IDS:
                found.append(Instance(label, ids == value, ignored=bool(value < 1000)))
        return found

    def annotation_bytes(self, picture: Picture) -> bytes:
        return self.instance_ids(picture).tobytes()

    def instance_ids(self, picture: Picture) -> NDArray[np.int32]:
        """Return an image's instance ids, H x W: label id * 1000 + number, or a bare label id.

        Raises:
            UsageError: if they cannot be read, or have another size than the image.
        """
        path = self._instances_path(picture)
        ids = read_instance_ids(path)
        height, width = shown_size(picture.path)
        if ids.shape != (height, width):
            raise UsageError(
                f"{picture.path} is {width} x {height}, its instance ids in {path} are "
                f"{ids.shape[1]} x {ids.shape[0]}: use the images that were annotated"
            )
        return ids

    def _check_annotations(self) -> None:
        missing = [path for path in map(self._instances_path, self.pictures) if not path.is_file()]
        if missing:
            names = ", ".join(str(path) for path in missing[:_NAMED])
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise UsageError(
                f"{len(missing)} of {len(self.pictures)} images have no instance ids: "
                f"{names}{more}: unpack gtFine completely"
            )

    def _instances_path(self, picture: Picture) -> Path:
        return self._annotations / picture.path.parent.name / (picture.name + _INSTANCES_SUFFIX)


_LABEL_IDS = {category.id for category in CATEGORIES}


def cityscapes_val(root: Path) -> Cityscapes:
    """Cityscapes' validation split, complete.

    Raises:
        UsageError: if files are missing, or there are not 500 images.
    """
    dataset = Cityscapes(root)
    if len(dataset.pictures) != VAL_IMAGES:
        raise UsageError(
            f"{root}/leftImg8bit/val holds {len(dataset.pictures)} images, Cityscapes' "
            f"validation split has {VAL_IMAGES}: unpack leftImg8bit_trainvaltest.zip again"
        )
    return dataset
