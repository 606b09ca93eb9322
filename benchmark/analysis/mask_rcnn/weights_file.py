"""The analysis network's weights as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmark.analysis.mask_rcnn.network import MaskRcnn
from benchmark.datasets.dataset import Category
from benchmark.errors import UsageError
from benchmark.system.tensors import load_tensors, save_tensors

_KIND = "benchmark Mask R-CNN"


@dataclass(frozen=True)
class Description:
    """What a weights file says of itself.

    Attributes:
        width: that of `MaskRcnn`.
        categories: what the labels 1, 2, ... mean.
        training: how it was trained, for the reader.
    """

    width: int
    categories: tuple[Category, ...]
    training: Mapping[str, Any]


def save_weights(path: Path, network: MaskRcnn, description: Description) -> None:
    """Writes a network, complete or not at all."""
    save_tensors(path, _KIND, network.state_dict(), asdict(description))


def load_weights(path: Path) -> tuple[MaskRcnn, Description]:
    """A network that `save_weights` wrote, ready to detect, and its description.

    Raises:
        UsageError: if the file is missing or is no such network.
    """
    tensors, stored = load_tensors(path, _KIND)
    try:
        description = _description(stored)
        network = MaskRcnn(len(description.categories), description.width)
        network.load_state_dict(tensors)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise UsageError(f"{path} is not a trained analysis network: {error}") from error
    network.eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last), description


def _description(stored: Mapping[str, Any]) -> Description:
    categories = tuple(Category(**category) for category in stored["categories"])
    return Description(int(stored["width"]), categories, dict(stored["training"]))
