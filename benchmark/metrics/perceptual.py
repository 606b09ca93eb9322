"""LPIPS: how different two images look to people, by the package of its authors."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import os
import warnings
from pathlib import Path
from typing import Any

from benchmark.image import Image, images_tensor

_BACKBONE = "alexnet-owt-7be5be79.pth"
"""The file under which torchvision keeps AlexNet's ImageNet weights."""


def why_unavailable() -> str:
    """Return why LPIPS cannot be measured here; empty where it can. Nothing is downloaded."""
    if importlib.util.find_spec("lpips") is None:
        return "it needs `pip install lpips`"
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    # as torch.hub.get_dir, without the seconds that importing torch takes
    file = Path(os.environ.get("TORCH_HOME", cache / "torch")) / "hub/checkpoints" / _BACKBONE
    file = file.expanduser()
    if not file.is_file():
        return (
            f"AlexNet's weights are not in {file}: "
            "`python -c 'import lpips; lpips.LPIPS(net=\"alex\")'` downloads them once"
        )
    return ""


def lpips(original: Image, decoded: Image) -> float:
    """Return LPIPS (version 0.1, AlexNet) of two images: 0 for equal ones, lower is better.

    Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018.
    """
    import torch

    first, second = images_tensor([original]), images_tensor([decoded])
    with torch.inference_mode():
        return float(_network()(first, second, normalize=True))


@functools.cache
def _network() -> Any:
    import lpips as package

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # torchvision's new way to ask for weights
        return package.LPIPS(net="alex", verbose=False).eval()
