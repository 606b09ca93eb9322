"""Annotated objects in the form that the analysis network is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.datasets.dataset import Category, Instance


@dataclass(frozen=True)
class Objects:
    """The annotated objects of an image, as the network is trained on them.

    Attributes:
        boxes: float32, N x 4: x0, y0, x1, y1 in pixels, the last row and column included, so
            that x1 - x0 is the width.
        labels: int64, N: 1 for the first category; 0 is the background.
        masks: uint8, N x H x W.
        ignored: bool, H x W: regions from which nothing is learned.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    ignored: Tensor

    @classmethod
    def of(
        cls, instances: Sequence[Instance], categories: Sequence[Category], size: tuple[int, int]
    ) -> Objects:
        """From a data set's instances in an image of the given height and width."""
        labels = {category.id: number for number, category in enumerate(categories, 1)}
        visible = [instance for instance in instances if instance.mask.any()]
        learned = [instance for instance in visible if not instance.ignored]
        ignored = np.zeros(size, bool)
        for instance in visible:
            if instance.ignored:
                ignored |= instance.mask
        masks = np.array([instance.mask for instance in learned], np.uint8)
        return cls(
            torch.tensor([box_of(i.mask) for i in learned], dtype=torch.float32).reshape(-1, 4),
            torch.tensor([labels[i.category_id] for i in learned], dtype=torch.int64),
            torch.from_numpy(masks.reshape(-1, *size)),
            torch.from_numpy(ignored),
        )

    def to(self, device: torch.device | str) -> Objects:
        """The same on another device."""
        return Objects(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def box_of(mask: NDArray[Any]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 around the pixels of a mask (H x W) that has some."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
