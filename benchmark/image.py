"""What an image is, and images as a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Image = NDArray[np.uint8]
"""An image: uint8 of shape H x W x 3, RGB, values 0 to 255."""


def images_tensor(images: Sequence[Image], device: torch.device | str = "cpu") -> torch.Tensor:
    """Return images of the same size as N x 3 x H x W, float32, RGB in [0, 1]."""
    import torch

    pixels = torch.from_numpy(np.stack(images)).to(device)
    return pixels.permute(0, 3, 1, 2).to(torch.float32) / 255


def with_even_sides(image: Image) -> Image:
    """Return an image as codecs get it: an odd last row or column once more, as 4:2:0 needs.

    The decoded image is cut to the image's own size again; rates are over its own pixels.
    """
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
