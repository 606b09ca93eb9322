"""Cityscapes, and every data set in its file layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from benchmark.datasets.dataset import Category, Dataset, Instance, Picture
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

    name = "cityscapes"
    where = "PATH"
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
        paths = sorted(images.glob("*/*" + _IMAGE_SUFFIX), key=lambda path: path.name)
        if not paths:
            raise UsageError(f"{images} holds no CITY/*{_IMAGE_SUFFIX}: unpack the images there")
        self.pictures = [
            Picture(number, path.name.removesuffix(_IMAGE_SUFFIX), path)
            for number, path in enumerate(paths)
        ]
        self._check_annotations()

    @classmethod
    def open(cls, where: str) -> Dataset:
        return cityscapes_val(Path(where).expanduser())

    @classmethod
    def open_training(cls, where: str, images: int) -> tuple[Dataset, Dataset]:
        root = Path(where).expanduser()
        return Cityscapes(root, "train"), Cityscapes(root, "val")

    def instances(self, picture: Picture) -> list[Instance]:
        ids = _read_ids(self._instances_path(picture))
        found = []
        for value in np.flatnonzero(np.bincount(ids.ravel())):  # np.unique would sort the pixels
            label = int(value) // 1000 if value >= 1000 else int(value)
            if label in _LABEL_IDS:
                found.append(Instance(label, ids == value, ignored=bool(value < 1000)))
        return found

    def annotation_bytes(self, picture: Picture) -> bytes:
        return _read_ids(self._instances_path(picture)).tobytes()

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


def _read_ids(path: Path) -> np.ndarray:
    try:
        with PIL.Image.open(path) as file:
            return np.asarray(file).astype(np.int32)
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path} is not a readable instance map: {error}") from error
