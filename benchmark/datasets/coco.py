"""Instances in COCO's JSON format, with a folder of images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from benchmark.datasets.cityscapes import CATEGORIES
from benchmark.datasets.dataset import Category, Dataset, Instance, Picture
from benchmark.errors import UsageError

_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "images": {"id": int, "file_name": str, "height": int, "width": int},
    "categories": {"id": int, "name": str},
    "annotations": {"image_id": int, "category_id": int, "segmentation": (list, dict)},
}
"""The lists of the file that are used, and what each of their entries has to hold."""

_NAMED = 3


class Coco(Dataset):
    """The classes that the analysis network knows, told by their names; others are left out.

    A picture has the id that its image has in the file. A class has the id that Cityscapes gives
    it, as the analysis network's detections have.
    """

    name = "coco"
    where = "ANNOTATIONS:IMAGES"

    def __init__(self, annotations: Path, images: Path) -> None:
        """Reads the annotations and checks that each image is there.

        Args:
            annotations: a file in COCO's instances format.
            images: the folder that the file's image names are relative to.

        Raises:
            UsageError: naming what is missing or wrong.
        """
        self._file = annotations
        content = _read(annotations)
        known = {category.name: category for category in CATEGORIES}
        self._categories = {
            entry["id"]: known[entry["name"]]
            for entry in content["categories"]
            if entry["name"] in known
        }
        if not self._categories:
            raise UsageError(
                f"{annotations} has no category that the analysis network knows "
                f"({', '.join(known)}): its categories are "
                f"{_some([entry['name'] for entry in content['categories']])}"
            )
        found = set(self._categories.values())
        self.categories: Sequence[Category] = [c for c in CATEGORIES if c in found]
        self.pictures = _pictures(content["images"], annotations, images)
        self._annotations: dict[int, list[dict[str, Any]]] = {}
        for entry in content["annotations"]:
            if entry["category_id"] in self._categories:
                self._annotations.setdefault(entry["image_id"], []).append(entry)
        self._sizes = {
            entry["id"]: (entry["height"], entry["width"]) for entry in content["images"]
        }

    @classmethod
    def open(cls, where: str) -> Dataset:
        """Return the data set of a file (whose path holds no colon) and a folder."""
        annotations, _, images = where.partition(":")
        if not (annotations and images):
            raise UsageError(f"'coco:{where}' is not of the form coco:ANNOTATIONS:IMAGES")
        return cls(Path(annotations).expanduser(), Path(images).expanduser())

    def instances(self, picture: Picture) -> list[Instance]:
        """The annotated objects of an image, without those that have no pixel in it.

        Raises:
            UsageError: if the image has another size, or a mask cannot be read.
        """
        size = height, width = self._size(picture)
        found = []
        for entry in self._annotations.get(picture.id, ()):
            # as images are read: without an odd last row and column
            mask = self._mask(entry, size, picture)[: height // 2 * 2, : width // 2 * 2]
            if mask.any():
                category = self._categories[entry["category_id"]]
                found.append(Instance(category.id, mask, ignored=bool(entry.get("iscrowd", 0))))
        return found

    def annotation_bytes(self, picture: Picture) -> bytes:
        return b"".join(
            repr((instance.category_id, instance.ignored, instance.mask.shape)).encode()
            + np.packbits(instance.mask).tobytes()
            for instance in self.instances(picture)
        )

    def _size(self, picture: Picture) -> tuple[int, int]:
        height, width = self._sizes[picture.id]
        with PIL.Image.open(picture.path) as image:
            if image.size != (width, height):
                raise UsageError(
                    f"{picture.path} is {image.width} x {image.height}, in {self._file} it is "
                    f"{width} x {height}: use the images that were annotated"
                )
        return height, width

    def _mask(
        self, entry: dict[str, Any], size: tuple[int, int], picture: Picture
    ) -> NDArray[np.bool_]:
        try:
            mask = coco_mask.decode(_run_lengths(entry["segmentation"], size)) != 0
            if mask.shape != size:
                raise ValueError(f"its size is {mask.shape[0]} x {mask.shape[1]}")
        except Exception as error:  # pycocotools raises many kinds, Exception itself among them
            raise UsageError(
                f"{self._file} has a mask in {picture.name} that cannot be read "
                f"(annotation {entry.get('id', 'without id')}): {error}"
            ) from error
        return mask


def _run_lengths(segmentation: Any, size: tuple[int, int]) -> Any:
    """A mask from polygons, run lengths or compressed run lengths, in the compressed form."""
    if isinstance(segmentation, list):
        return coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    if isinstance(segmentation["counts"], list):
        return coco_mask.frPyObjects(segmentation, *size)
    return segmentation


def _read(file: Path) -> dict[str, list[dict[str, Any]]]:
    """The lists of the file, checked for what is used of them."""
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}") from error
    lists = {}
    for name, fields in _FIELDS.items():
        entries = content.get(name) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise UsageError(f"{file} is not in COCO's instances format: it has no list {name!r}")
        for number, entry in enumerate(entries):
            for field, kind in fields.items():
                if not isinstance(entry, dict) or not isinstance(entry.get(field), kind):
                    raise UsageError(
                        f"{file} is not in COCO's instances format: {name}[{number}] has no "
                        f"usable {field!r}"
                    )
        lists[name] = entries
    return lists


def _pictures(entries: Sequence[dict[str, Any]], file: Path, root: Path) -> list[Picture]:
    if not entries:
        raise UsageError(f"{file} lists no images")
    if not root.is_dir():
        raise UsageError(f"the folder {root} does not exist: it should hold the images of {file}")
    pictures = [
        Picture(entry["id"], entry["file_name"].replace("/", "_"), root / entry["file_name"])
        for entry in entries
    ]
    if missing := [str(picture.path) for picture in pictures if not picture.path.is_file()]:
        raise UsageError(
            f"{len(missing)} of the {len(pictures)} images in {file} are missing: {_some(missing)}"
        )
    for key in ("name", "id"):
        [(value, times)] = Counter(getattr(picture, key) for picture in pictures).most_common(1)
        if times > 1:
            raise UsageError(
                f"{file} lists {times} images of the {key} {value!r}: they must differ"
            )
    return sorted(pictures, key=lambda picture: picture.name)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
