"""Weights on disk: safetensors that say what they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from benchmark.errors import UsageError
from benchmark.system.files import write_whole

_Taken = TypeVar("_Taken")


def save_tensors(
    path: Path, kind: str, tensors: Mapping[str, Tensor], description: Mapping[str, Any]
) -> None:
    """Writes tensors and what they are, complete or not at all.

    Args:
        path: the file, ``*.safetensors``.
        kind: what the file holds; `load_tensors` asks for the same.
        tensors: by name; kernels and matrices are stored in half precision.
        description: what the file says of itself; what JSON can hold.
    """
    stored = {
        name: (value.detach().half() if value.ndim > 1 else value.detach()).cpu().contiguous()
        for name, value in tensors.items()
    }
    # one entry only: safetensors writes several in any order, and the file's hash is the identity
    write_whole(path, save(stored, {kind: json.dumps(description)}))


def load_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the description that `save_tensors` wrote.

    Raises:
        UsageError: if the file is missing, unreadable or of another kind.
    """
    return _load(path, kind, lambda file: {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118


def load_description(path: Path, kind: str) -> dict[str, Any]:
    """The description alone, without reading the tensors.

    Raises:
        UsageError: as `load_tensors`.
    """
    return _load(path, kind, lambda file: None)[1]


def _load(path: Path, kind: str, take: Callable[[Any], _Taken]) -> tuple[_Taken, dict[str, Any]]:
    if not path.is_file():
        raise UsageError(f"{path} does not exist: it should hold the weights of a {kind}")
    try:
        with safe_open(path, framework="pt") as file:
            description = json.loads((file.metadata() or {}).get(kind, "null"))
            taken = take(file)
    except (SafetensorError, ValueError) as error:
        raise UsageError(f"{path} is not a readable safetensors file: {error}") from error
    if not isinstance(description, dict):
        raise UsageError(f"{path} does not hold the weights of a {kind}")
    return taken, description
