"""Initialize an NCN from a batch of images, so that its latents carry information from the start.

The method is layer-sequential unit-variance initialization (LSUV; Mishkin and Matas, "All you need
is a good init", ICLR 2016): random kernels, then layer by layer each is scaled until its output on
the batch has the wanted standard deviation. It differs from the paper in three points, each for a
codec's sake:

1. Kernels are Gaussian with He's variance instead of orthonormal: the scaling decides anyway.
2. The latent y gets a standard deviation of 4 and z one of 2. With torch's default y has 0.02, so
   all of it is rounded to zero and the decoder learns nothing until the kernels have grown a
   hundredfold.
3. The last layers start at what is expected: the hyper decoder at a mean of 0 and a scale of 2,
   the synthesis at grey.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .network import NCN

LATENT_DEVIATION = 4.0
HYPER_LATENT_DEVIATION = 2.0
SCALE = 2.0
"""Of the Laplace distribution of y's elements, at the start."""

_KERNELS = (nn.Conv2d, nn.ConvTranspose2d)


@torch.no_grad()
def initialize(network: NCN, images: Tensor) -> None:
    """Initialize a network on a batch; the same images and torch seed give the same weights.

    Args:
        network: any; the weights of its transforms are replaced.
        images: N x 3 x H x W, RGB in [0, 1], H and W multiples of 64.
    """
    for module in network.modules():
        if isinstance(module, _KERNELS):
            side = module.kernel_size[0]
            meets = module.in_channels * side * side / math.prod(_upsampling(module))
            nn.init.normal_(module.weight, 0, math.sqrt(2 / meets))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    kernel, bias = _parameters(network.analysis[0])
    bias.copy_(-0.5 * kernel.sum((1, 2, 3)))  # as if the images were centered
    latent = _scaled(network.analysis, images, LATENT_DEVIATION)
    hyper_latent = _scaled(network.hyper_encoder, latent, HYPER_LATENT_DEVIATION)
    _scaled(network.hyper_decoder, torch.round(hyper_latent), 1.0)
    kernel, bias = _parameters(network.hyper_decoder[-1])
    kernel.mul_(0.1)
    # the second half of the channels is the raw scale: log(1 + exp(-raw)) = SCALE
    bias[len(bias) // 2 :] = -math.log(math.expm1(SCALE))
    _scaled(network.synthesis, torch.round(latent), 0.1)
    _, bias = _parameters(network.synthesis[-1])
    bias.fill_(0.5)


def _scaled(layers: nn.Sequential, values: Tensor, last_deviation: float) -> Tensor:
    """Give each kernel's output unit standard deviation, the last one's another; return it."""
    for layer in layers:
        if isinstance(layer, _KERNELS):
            wanted = last_deviation if layer is layers[-1] else 1.0
            factor = wanted / layer(values).std().clamp_min(1e-6)
            for parameter in _parameters(layer):
                parameter.mul_(factor)
        values = layer(values)
    return values


def _parameters(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution."""
    assert isinstance(layer, _KERNELS) and layer.bias is not None
    return layer.weight, layer.bias


def _upsampling(layer: nn.Module) -> tuple[int, ...]:
    """How many outputs in each direction one position of a transposed kernel is shared by."""
    return tuple(layer.stride) if isinstance(layer, nn.ConvTranspose2d) else (1, 1)
