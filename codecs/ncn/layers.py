"""The layers that the NCN is built of."""

from __future__ import annotations

import torch
from compressai.layers import GDN
from torch import Tensor, nn
from torch.nn import functional

KERNEL = 5
"""Side of all kernels but those of the autoregressive model."""

STRIDE = 64
"""One element of the hyper latent z stands for so many pixels in each direction."""


def pad(images: Tensor) -> Tensor:
    """Images whose sides are multiples of `STRIDE`, extended to the right and below.

    Without it the sizes of y, z and what the hyper decoder makes of z would not match.

    Args:
        images: N x C x H x W.

    Returns:
        N x C x (H rounded up) x (W rounded up); the outermost pixels are repeated.
    """
    height, width = images.shape[-2:]
    return functional.pad(images, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")


def convolution(channels_in: int, channels: int, stride: int = 2) -> nn.Conv2d:
    """A 5x5 convolution that repeats the border; it divides even sides by its stride."""
    return nn.Conv2d(
        channels_in, channels, KERNEL, stride, padding=KERNEL // 2, padding_mode="replicate"
    )


def upsampling(channels_in: int, channels: int) -> nn.ConvTranspose2d:
    """A transposed 5x5 convolution that doubles both sides, with zeros beyond the border."""
    return nn.ConvTranspose2d(
        channels_in, channels, KERNEL, stride=2, padding=KERNEL // 2, output_padding=1
    )


def inverse_gdn(channels: int) -> GDN:
    """The inverse of a GDN (Balle et al., ICLR 2016): x * sqrt(beta + gamma x^2)."""
    return GDN(channels, inverse=True)


class CausalConvolution(nn.Conv2d):
    """A 3x3 convolution that sees only what comes before its centre in raster order.

    This is mask type A of PixelCNN (van den Oord et al., ICML 2016): the row above and the
    position to the left; zeros beyond the border.
    """

    causal: Tensor

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(channels_in, channels, 3, padding=1)
        causal = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
        self.register_buffer("causal", causal, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight * self.causal, self.bias)


def add_noise(values: Tensor) -> Tensor:
    """Adds noise, uniform in [-1/2, 1/2): rounding with a gradient (Balle et al., ICLR 2017)."""
    return values + torch.empty_like(values).uniform_(-0.5, 0.5)


def laplace_bits(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Estimated bits of each value: -log2(p + 1e-10), never more than 33.3.

    p is the mass of a Laplace distribution in [value - 1/2, value + 1/2].

    Args:
        values: any shape; integers, or integers with noise.
        mean: the distributions' means, of the same shape.
        scale: their scales, not negative; 1e-10 is added.
    """
    # validation compares every element and, on a GPU, waits for the answer
    laplace = torch.distributions.Laplace(mean, scale + 1e-10, validate_args=False)
    return -torch.log2(laplace.cdf(values + 0.5) - laplace.cdf(values - 0.5) + 1e-10)


def scale_of(raw: Tensor) -> Tensor:
    """The scale that a network's raw output means: -log sigmoid(raw) = log(1 + exp(-raw))."""
    return -functional.logsigmoid(raw)
