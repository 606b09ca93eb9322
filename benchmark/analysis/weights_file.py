"""The analysis network's weights as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from benchmark.analysis.mask_rcnn import MaskRcnn
from benchmark.datasets.dataset import Category
from benchmark.errors import UsageError
from benchmark.files import write_whole

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
    """Writes a network, its matrices and kernels in half precision, complete or not at all."""
    tensors = {
        name: (value.half() if value.ndim > 1 else value).contiguous().cpu()
        for name, value in network.state_dict().items()
    }
    # one entry only: safetensors writes several in any order, and the file's hash is the identity
    metadata = {_KIND: json.dumps(asdict(description))}
    write_whole(path, save(tensors, metadata))


def load_weights(path: Path) -> tuple[MaskRcnn, Description]:
    """A network that `save_weights` wrote, ready to detect, and its description.

    Raises:
        UsageError: if the file is missing or is no such network.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: it should hold a trained analysis network")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if _KIND not in metadata:
            raise UsageError(f"{path} holds other weights than those of `train analysis`")
        description = _description(json.loads(metadata[_KIND]))
        network = MaskRcnn(len(description.categories), description.width)
        network.load_state_dict(tensors)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise UsageError(f"{path} is not a trained analysis network: {error}") from error
    network.eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last), description


def _description(stored: Mapping[str, Any]) -> Description:
    categories = tuple(Category(**category) for category in stored["categories"])
    return Description(int(stored["width"]), categories, dict(stored["training"]))
