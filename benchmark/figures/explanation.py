"""What goes on inside a codec that masks latents: the interface behind the figures of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmark.codec import Image, RatePoint

Latent = NDArray[np.float32]
"""A value for each element of a latent, C x h x w."""


@dataclass(frozen=True)
class Explanation:
    """How a codec arrives at the latent that it codes; all arrays are C x h x w.

    An element stands for a square of H'/h x W'/w pixels, where H' and W' are the image's height
    and width, padded at the bottom and at the right.

    Attributes:
        alpha: how far the codec draws each element to its mean, 0 to 1; None if it does not.
        latent: y, before masking and rounding.
        mean: mu of the Laplace distribution that the decoder expects.
        scale: b of that distribution, above 0.
        masked: y' = y - alpha (y - mu); y where there is no alpha.
        bits_before: estimated bits of the rounded y.
        bits_after: estimated bits of the rounded y'.
        stride: side of an element's square, in pixels.
    """

    alpha: Latent | None
    latent: Latent
    mean: Latent
    scale: Latent
    masked: Latent
    bits_before: Latent
    bits_after: Latent
    stride: int


@runtime_checkable
class Explainable(Protocol):
    """What a codec may have beside the methods of `benchmark.codec.Codec`."""

    def explain(self, image: Image, rate_point: RatePoint) -> Explanation:
        """What encoding an image does to its latent."""
        ...
