"""What an image is, and images as a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Image = NDArray[np.uint8]
"""An image: uint8 of shape H x W x 3, RGB, values 0 to 255, H and W even."""


def images_tensor(images: Sequence[Image], device: torch.device | str = "cpu") -> torch.Tensor:
    """Return images of the same size as N x 3 x H x W, float32, RGB in [0, 1]."""
    import torch

    pixels = torch.from_numpy(np.stack(images)).to(device)
    return pixels.permute(0, 3, 1, 2).to(torch.float32) / 255
