"""Write and read checkpoints: all that a training needs to go on."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmark.errors import UsageError
from benchmark.system.files import write_whole


def save_checkpoint(path: Path, stored: Mapping[str, Any]) -> None:
    """Write tensors, numbers, texts and containers of them, complete or not at all."""
    content = io.BytesIO()
    torch.save(dict(stored), content)
    write_whole(path, content.getvalue())


def load_checkpoint(
    path: Path, device: torch.device, belongs_to: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Read what `save_checkpoint` wrote, or None where there is no file.

    Args:
        path: the file.
        device: where its tensors go.
        belongs_to: entries that must be in it with these values.

    Raises:
        UsageError: if it is no such file, or belongs to another training.
    """
    if not path.exists():
        return None
    try:
        stored: dict[str, Any] = torch.load(path, device, weights_only=True)
        known = {name: stored[name] for name in belongs_to}
    except Exception as error:  # torch raises many kinds for a file that is none of its own
        raise UsageError(f"{path} is not a readable checkpoint: {error}") from error
    for name, value in belongs_to.items():
        if known[name] != value:
            raise UsageError(
                f"{path} belongs to a training with another {name} ({known[name]}): delete it, "
                "or train into another folder"
            )
    return stored
