"""Images and their objects as training takes them: in batches, shuffled, augmented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.analysis.targets import Objects, box_of
from benchmark.datasets.dataset import Dataset, read_image
from benchmark.image import Image
from benchmark.system.memory import free_memory

_LEFT_FREE = 0.25
"""Share of the memory that no images are kept in."""


@dataclass(frozen=True)
class _Example:
    """An image and its objects, small enough to keep: each mask is cut to its box."""

    image: Image
    boxes: NDArray[np.int64]
    labels: NDArray[np.int64]
    crops: list[NDArray[np.bool_]]
    ignored: NDArray[np.bool_]


@dataclass(frozen=True)
class Augmentation:
    """What is varied from one sight of an image to the next, beside mirroring.

    Attributes:
        brightness: whether contrast and brightness change.
        crop: height and width of the part that is taken, in pixels; None takes all of it.
    """

    brightness: bool = False
    crop: tuple[int, int] | None = None


class Batches:
    """The images and objects of each step, from its number alone.

    Images are kept in memory, 4 bytes a pixel, as long as a quarter of it stays free; those that
    are read later are read again each time. Several processes on one machine share its memory.
    """

    def __init__(self, dataset: Dataset, batch: int, seed: int, augmentation: Augmentation) -> None:
        self._dataset = dataset
        self._batch = batch
        self._seed = seed
        self._augmentation = augmentation
        self._labels = {category.id: n for n, category in enumerate(dataset.categories, 1)}
        self._kept: dict[int, _Example] = {}

    def __getitem__(self, iteration: int) -> tuple[Tensor, list[Objects]]:
        """Images, N x 3 x H x W in [0, 1], and the objects of each."""
        first = iteration * self._batch
        rng = np.random.default_rng([self._seed, iteration])
        crop = self._augmentation.crop
        examples = [self._example(self._at(first + n)) for n in range(self._batch)]
        if crop is not None:
            examples = [_cropped(example, crop, rng) for example in examples]
        height = max(example.image.shape[0] for example in examples)
        width = max(example.image.shape[1] for example in examples)
        brightness = self._augmentation.brightness
        pairs = [_augmented(example, (height, width), brightness, rng) for example in examples]
        return torch.cat([image for image, _ in pairs]), [objects for _, objects in pairs]

    def whole(self, index: int) -> tuple[Tensor, Objects]:
        """Return a picture of the data set as it is, 1 x 3 x H x W in [0, 1], and its objects."""
        example = self._example(index)
        height, width = example.image.shape[:2]
        return _padded(example, (height, width))

    def _at(self, position: int) -> int:
        """Index of the picture at a position of the endless, shuffled sequence."""
        epoch, place = divmod(position, len(self._dataset.pictures))
        rng = np.random.default_rng([self._seed, 1, epoch])
        return int(rng.permutation(len(self._dataset.pictures))[place])

    def _example(self, index: int) -> _Example:
        if index in self._kept:
            return self._kept[index]
        example = self._read(index)
        if free_memory() > _LEFT_FREE:
            self._kept[index] = example
        return example

    def _read(self, index: int) -> _Example:
        picture = self._dataset.pictures[index]
        image = read_image(picture.path)
        height, width = image.shape[:2]
        boxes, labels, crops = [], [], []
        ignored = np.zeros((height, width), bool)
        for instance in self._dataset.instances(picture):
            mask = instance.mask
            if not mask.any():
                continue
            if instance.ignored:
                ignored |= mask
                continue
            x0, y0, x1, y1 = box = box_of(mask)
            boxes.append(box)
            labels.append(self._labels[instance.category_id])
            crops.append(mask[y0:y1, x0:x1].copy())
        return _Example(
            image,
            np.array(boxes, np.int64).reshape(-1, 4),
            np.array(labels, np.int64),
            crops,
            ignored,
        )


def _cropped(example: _Example, size: tuple[int, int], rng: np.random.Generator) -> _Example:
    """A part of an example somewhere in it, with what is seen of its objects there."""
    height, width = example.image.shape[:2]
    top = int(rng.integers(max(height - size[0], 0) + 1))
    left = int(rng.integers(max(width - size[1], 0) + 1))
    bottom, right = min(top + size[0], height), min(left + size[1], width)
    boxes, labels, crops = [], [], []
    for (x0, y0, x1, y1), label, crop in zip(
        example.boxes, example.labels, example.crops, strict=True
    ):
        if x0 >= right or x1 <= left or y0 >= bottom or y1 <= top:
            continue
        seen = crop[max(top - y0, 0) : y1 - y0 - max(y1 - bottom, 0)]
        seen = seen[:, max(left - x0, 0) : x1 - x0 - max(x1 - right, 0)]
        if not seen.any():
            continue
        u0, v0, u1, v1 = box_of(seen)
        x, y = max(x0 - left, 0), max(y0 - top, 0)
        boxes.append((x + u0, y + v0, x + u1, y + v1))
        labels.append(label)
        crops.append(seen[v0:v1, u0:u1])
    return _Example(
        example.image[top:bottom, left:right],
        np.array(boxes, np.int64).reshape(-1, 4),
        np.array(labels, np.int64),
        crops,
        example.ignored[top:bottom, left:right],
    )


def _augmented(
    example: _Example, size: tuple[int, int], brightness: bool, rng: np.random.Generator
) -> tuple[Tensor, Objects]:
    """An image (1 x 3 x H x W, padded to the size) and its objects, perhaps mirrored."""
    gain, offset = (rng.uniform(0.8, 1.25), rng.uniform(-0.08, 0.08)) if brightness else (1.0, 0.0)
    image, objects = _padded(example, size, gain, offset)
    return _mirrored(image, objects) if rng.random() < 0.5 else (image, objects)


def _padded(
    example: _Example, size: tuple[int, int], gain: float = 1.0, offset: float = 0.0
) -> tuple[Tensor, Objects]:
    """An image (1 x 3 x H x W, padded to the size), brightened, and its objects."""
    pixels = torch.from_numpy(example.image).permute(2, 0, 1)[None].to(torch.float32)
    image = (pixels * (gain / 255) + offset).clamp_(0, 1)
    masks = torch.zeros(len(example.boxes), *size, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1), crop in zip(masks, example.boxes, example.crops, strict=True):
        mask[y0:y1, x0:x1] = torch.from_numpy(crop)
    height, width = example.image.shape[:2]
    image = functional.pad(image, (0, size[1] - width, 0, size[0] - height))
    objects = Objects(
        torch.from_numpy(example.boxes).to(torch.float32),
        torch.from_numpy(example.labels),
        masks,
        functional.pad(
            torch.from_numpy(example.ignored), (0, size[1] - width, 0, size[0] - height)
        ),
    )
    return image, objects


def _mirrored(image: Tensor, objects: Objects) -> tuple[Tensor, Objects]:
    width = image.shape[-1]

    def mirror(boxes: Tensor) -> Tensor:
        x0, y0, x1, y1 = boxes.unbind(1)
        return torch.stack([width - x1, y0, width - x0, y1], dim=1)

    return image.flip(-1), Objects(
        mirror(objects.boxes), objects.labels, objects.masks.flip(-1), objects.ignored.flip(-1)
    )
