"""Instances in COCO's JSON format, with a folder of images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets.cityscapes import CATEGORIES
from benchmark.datasets.class_names import class_of
from benchmark.datasets.coco_masks import NoMask, mask_of
from benchmark.datasets.dataset import (
    Category,
    Dataset,
    Instance,
    Picture,
    check_names,
    picture_name,
)
from benchmark.datasets.image_file import orientation, shown_size
from benchmark.errors import UsageError

_FIELDS: dict[str, dict[str, type]] = {
    "images": {"id": int, "file_name": str, "height": int, "width": int},
    "categories": {"id": int, "name": str},
    "annotations": {"image_id": int, "category_id": int},
}
"""The lists of the file that are used, and what each of their entries has to hold."""

_NAMED = 3


@dataclass(frozen=True)
class _Annotation:
    """An annotation of a class that is used, in an image that is listed.

    Attributes:
        called: what messages call it.
        category: its class, of the data set's.
        segmentation: as in the file, not yet checked.
        boxed: whether there is a box.
        crowd: whether it is a group.
    """

    called: str
    category: Category
    segmentation: Any
    boxed: bool
    crowd: bool


class Coco(Dataset):
    """The classes that the analysis network knows, told by their names; others are left out.

    A picture has the id that its image has in the file. A class has the id that Cityscapes gives
    it, as the analysis network's detections have.

    Masks are those of pycocotools, with these differences:

    1. What pycocotools reads as random pixels, or ends the process with, is an error that names
       the annotation: run lengths that do not add up to the image, coordinates that are not
       finite or far outside of it, boxes among masks.
    2. Parts of polygons with fewer than three points are left out, as Detectron2 does.
    3. ``iscrowd`` is 0 or 1; for pycocotools the text "0" is true.

    An instance that has no pixel in its image counts, as one that nobody finds.
    """

    name = "coco"

    def __init__(self, annotations: Path, images: Path) -> None:
        """Read the annotations and check that each image is there.

        Args:
            annotations: a file in COCO's instances format.
            images: the folder that the file's image names are relative to.

        Raises:
            UsageError: naming what is missing or wrong.
        """
        self._file = annotations
        content = _read(annotations)
        self._names = _categories(content["categories"], annotations)
        known = {category.name: category for category in CATEGORIES}
        self._categories = {
            number: known[its] for number, name in self._names.items() if (its := class_of(name))
        }
        if not self._categories:
            raise UsageError(
                f"{annotations} has no category that the analysis network knows "
                f"({', '.join(known)}): its categories are {_some(list(self._names.values()))}"
            )
        found = set(self._categories.values())
        self.categories: Sequence[Category] = [c for c in CATEGORIES if c in found]
        self.pictures = _pictures(content["images"], annotations, images)
        self._sizes = {
            entry["id"]: (entry["height"], entry["width"]) for entry in content["images"]
        }
        self._annotations: dict[int, list[_Annotation]] = {}
        self._taken, self._left_out = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
        self._without_image = 0
        for number, entry in enumerate(content["annotations"]):
            image, category = entry["image_id"], entry["category_id"]
            if image not in self._sizes:
                self._without_image += 1
            elif category not in self._categories:
                self._left_out[image, category] += not entry.get("iscrowd")
            else:
                self._taken[image, category] += not entry.get("iscrowd")
                annotation = self._annotation(entry, number)
                self._annotations.setdefault(image, []).append(annotation)
        self._check_polygons()
        self._without_pixel: dict[int, list[str]] = {}

    def instances(self, picture: Picture) -> list[Instance]:
        """Return the annotated objects of an image, in the file's order.

        Raises:
            UsageError: if the image has another size, or a mask cannot be read.
        """
        self._check_size(picture)
        annotations = self._annotations.get(picture.id, [])
        masks = [self._mask(annotation, picture) for annotation in annotations]
        self._without_pixel[picture.id] = [
            its.called
            for its, mask in zip(annotations, masks, strict=True)
            if not (its.crowd or mask.any())
        ]
        return [
            Instance(its.category.id, mask, ignored=its.crowd)
            for its, mask in zip(annotations, masks, strict=True)
        ]

    def annotation_bytes(self, picture: Picture) -> bytes:
        return b"".join(
            repr((instance.category_id, instance.ignored, instance.mask.shape)).encode()
            + np.packbits(instance.mask).tobytes()
            for instance in self.instances(picture)
        )

    def remarks(self, pictures: Sequence[Picture]) -> list[str]:
        return [f"{self._file}: {remark}" for remark in self._remarks(pictures)]

    def _remarks(self, pictures: Sequence[Picture]) -> Iterator[str]:
        ids = {picture.id for picture in pictures}
        taken, left_out = Counter[int](), Counter[str]()
        for (image, category), number in self._taken.items():
            taken[category] += number if image in ids else 0
        for (image, category), number in self._left_out.items():
            if image in ids:
                left_out[self._names.get(category, f"category_id {category}")] += number
        renamed = [
            f"{name} as {category.name} ({taken[number]})"
            for number, category in self._categories.items()
            if (name := self._names[number].strip()) != category.name
        ]
        if renamed:
            yield f"classes taken under another name (instances): {', '.join(renamed)}"
        if left_out.total():
            yield (
                f"left out {left_out.total()} of {left_out.total() + taken.total()} instances, of "
                "classes that the analysis network does not know: "
                + _some([f"{name} ({number})" for name, number in left_out.most_common()])
            )
        if self._without_image:
            yield f"left out {self._without_image} annotations, which belong to no listed image"
        for picture in pictures:
            if picture.id not in self._without_pixel:
                self.instances(picture)
        if empty := [its for picture in pictures for its in self._without_pixel[picture.id]]:
            yield (
                f"{len(empty)} instances have no pixel in their image and count as never found: "
                f"{_some(empty)}"
            )

    def _annotation(self, entry: dict[str, Any], number: int) -> _Annotation:
        called = f"annotation {entry['id']}" if "id" in entry else f"annotations[{number}]"
        crowd = entry.get("iscrowd")
        if crowd not in (None, 0, 1):
            raise UsageError(
                f"{self._file}: iscrowd of {called} is {crowd!r}, where 0 or 1 (for a group) is "
                "expected"
            )
        return _Annotation(
            called,
            self._categories[entry["category_id"]],
            entry.get("segmentation"),
            boxed=bool(entry.get("bbox")),
            crowd=bool(crowd),
        )

    def _mask(self, annotation: _Annotation, picture: Picture) -> NDArray[np.bool_]:
        try:
            return mask_of(annotation.segmentation, self._sizes[picture.id])
        except NoMask as error:
            box = ", only a box" if annotation.boxed else ""
            raise UsageError(
                f"{self._file}: {annotation.called} ({picture.name}) has no mask{box}{error}: give "
                "it one, or take it out (images:FOLDER reads the images alone)"
            ) from error
        except ValueError as error:
            raise UsageError(
                f"{self._file} has a mask in {picture.name} that cannot be read "
                f"({annotation.called}): {error}"
            ) from error

    def _check_polygons(self) -> None:
        """Raises a `UsageError` if all coordinates are parts of the images' sides."""
        polygons = [
            part
            for annotations in self._annotations.values()
            for annotation in annotations
            if isinstance(annotation.segmentation, list)
            for part in annotation.segmentation
        ]
        if polygons and all(_within_one_pixel(part) for part in polygons):
            raise UsageError(
                f"{self._file}: all {len(polygons)} polygons have coordinates from 0 to 1, where "
                "pixels are expected: multiply them by the images' width and height"
            )

    def _check_size(self, picture: Picture) -> None:
        found, expected = shown_size(picture.path), self._sizes[picture.id]
        if found == expected:
            return
        turned = orientation(picture.path)
        if turned > 4 and found == expected[::-1]:
            raise UsageError(
                f"{picture.path} is shown turned (EXIF orientation {turned}), with "
                f"{found[1]} x {found[0]} pixels; in {self._file} it is {expected[1]} x "
                f"{expected[0]}: annotate it as it is shown, or take the orientation out of it"
            )
        raise UsageError(
            f"{picture.path} is {found[1]} x {found[0]}, in {self._file} it is {expected[1]} x "
            f"{expected[0]}: use the images that were annotated"
        )


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


def _categories(entries: Sequence[dict[str, Any]], file: Path) -> dict[int, str]:
    """The names of the file's categories by their ids."""
    names: dict[int, str] = {}
    for entry in entries:
        if names.setdefault(entry["id"], entry["name"]) != entry["name"]:
            raise UsageError(
                f"{file} lists the category {entry['id']} twice, as {names[entry['id']]} and as "
                f"{entry['name']}: they must differ"
            )
    return names


def _pictures(entries: Sequence[dict[str, Any]], file: Path, root: Path) -> list[Picture]:
    if not entries:
        raise UsageError(f"{file} lists no images")
    if not root.is_dir():
        raise UsageError(f"the folder {root} does not exist: it should hold the images of {file}")
    pictures = [
        Picture(entry["id"], picture_name(entry["file_name"]), root / entry["file_name"])
        for entry in entries
    ]
    if missing := [str(picture.path) for picture in pictures if not picture.path.is_file()]:
        raise UsageError(
            f"{len(missing)} of the {len(pictures)} images in {file} are missing: {_some(missing)}"
        )
    [(number, times)] = Counter(picture.id for picture in pictures).most_common(1)
    if times > 1:
        raise UsageError(f"{file} lists {times} images of the id {number}: they must differ")
    check_names(pictures, file)
    return sorted(pictures, key=lambda picture: picture.name)


def _within_one_pixel(part: Any) -> bool:
    """Whether the numbers of a polygon's part lie between 0 and 1."""
    return (
        isinstance(part, list)
        and len(part) > 0
        and all(isinstance(value, int | float) and 0 <= value <= 1 for value in part)
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
