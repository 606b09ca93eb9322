"""Initialize an NCN from a batch of images, so that it starts as a transform codec.

Kernels of learned codecs usually start at random, and thousands of steps pass until the latents
tell anything. Here the transforms start as a hierarchy of Karhunen-Loeve transforms, computed on
the batch: each of the four downscaling layers turns 2 x 2 positions of what comes before into
their principal components, as many as it has channels, and the synthesis inverts that. Before the
first step the network decodes what blocks of 16 x 16 keep of their principal components.

1. Each component has unit standard deviation and a mean of `_SHIFT`, so that the ReLU behind it
   passes nearly all of it, as it is.
2. A transposed kernel needs an offset of its own at each of its 2 x 2 places, to undo the shifts:
   each hidden layer of the synthesis has a channel that is constant.
3. y holds the components themselves, all in the same unit, in which y has a standard deviation of
   4: equal steps are what transform coding asks for.
4. Channels that are left over, and the hyper encoder, start at random, each kernel scaled until
   its output on the batch has the wanted deviation (LSUV; Mishkin and Matas, "All you need is a
   good init", ICLR 2016).
5. The hyper decoder starts at the mean and the scale that each channel of y has on the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import KERNEL
from .network import NCN

LATENT_DEVIATION = 4.0
HYPER_LATENT_DEVIATION = 2.0

_SHIFT = 3.0
"""Mean of a component before its ReLU, in standard deviations."""

_KERNELS = (nn.Conv2d, nn.ConvTranspose2d)
_CENTER = KERNEL // 2


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
    widths = [*[network.hidden_channels] * 3, network.channels]
    stages = _stages(images, widths)
    unit = LATENT_DEVIATION / float(stages[-1].deviations.square().mean().sqrt())
    _initialize_analysis(network.analysis, stages, unit)
    _initialize_synthesis(network.synthesis, stages, unit)
    latent = network.analysis(images)
    hyper_latent = _scaled(network.hyper_encoder, latent, HYPER_LATENT_DEVIATION)
    _scaled(network.hyper_decoder, torch.round(hyper_latent), 1.0)
    kernel, bias = _parameters(network.hyper_decoder[-1])
    kernel.mul_(0.1)
    mean = latent.mean((0, 2, 3))
    scale = (latent - mean[:, None, None]).abs().mean((0, 2, 3)).clamp_min(0.1)
    bias.copy_(torch.cat([mean, -torch.log(torch.expm1(scale))]))  # log(1 + exp(-raw)) = scale


@torch.no_grad()
def scale_latent(network: NCN, log_gain: Tensor) -> None:
    """Multiply y by a gain, and let everything behind it undo that: other quantization steps.

    z and what the synthesis makes of an unquantized y stay as they are. The scales of y's
    distribution are multiplied where they are small against 1, and nearly so elsewhere.

    Args:
        network: its weights are changed.
        log_gain: its natural logarithm, one for each channel of y; below 0 the rate falls.
    """
    gain = log_gain.exp()
    by_output = gain[:, None, None, None]
    kernel, bias = _parameters(network.analysis[-1])
    kernel.mul_(by_output)
    bias.mul_(gain)
    _parameters(network.hyper_encoder[0])[0].div_(gain[:, None, None])
    _parameters(network.synthesis[0])[0].div_(by_output)
    kernel, bias = _parameters(network.hyper_decoder[-1])
    kernel[: network.channels].mul_(by_output)
    bias[: network.channels].mul_(gain)
    bias[network.channels :].sub_(log_gain)  # log(1 + exp(-raw)) = scale


@dataclass(frozen=True)
class _Stage:
    """Principal components of 2 x 2 positions of the stage before.

    Attributes:
        basis: 4 x inputs x components; orthonormal columns over the first two dimensions, the
            positions in raster order.
        mean: of the inputs at each position, 4 x inputs.
        deviations: of the components.
    """

    basis: Tensor
    mean: Tensor
    deviations: Tensor


def _stages(images: Tensor, widths: Sequence[int]) -> list[_Stage]:
    values, stages = images, []
    for width in widths:
        inputs = values.shape[1]
        # N x inputs x 4 x h x w, to 4 x inputs values a sample
        blocks = functional.pixel_unshuffle(values, 2).unflatten(1, (inputs, 4)).transpose(1, 2)
        samples = blocks.permute(0, 3, 4, 1, 2).flatten(3).flatten(0, 2).double()
        mean = samples.mean(0)
        variances, vectors = torch.linalg.eigh(torch.cov(samples.T))
        count = min(width - 1, 4 * inputs)
        vectors = vectors.flip(1)[:, :count]
        largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
        vectors = vectors * largest.sign()
        deviations = variances.flip(0)[:count].clamp_min(1e-9).sqrt()
        components = (samples - mean) @ vectors
        batch, _, _, rows, columns = blocks.shape
        values = components.reshape(batch, rows, columns, count).permute(0, 3, 1, 2).float()
        stages.append(
            _Stage(
                vectors.reshape(4, inputs, count).float(),
                mean.reshape(4, inputs).float(),
                deviations.float(),
            )
        )
    return stages


def _initialize_analysis(layers: nn.Sequential, stages: list[_Stage], unit: float) -> None:
    deviations, shift = torch.ones(3), 0.0
    *downscaling, last = [layer for layer in layers if isinstance(layer, _KERNELS)]
    for layer, stage in zip(downscaling, stages, strict=True):
        kernel, bias = _parameters(layer)
        inputs, count = stage.basis.shape[1:]
        weights = stage.basis * deviations[:, None] / stage.deviations
        kernel[:count].zero_()
        kernel[:, :inputs] *= 0.5
        kernel[:count, :inputs, 2:4, 2:4] = weights.permute(2, 1, 0).unflatten(2, (2, 2))
        offset = (stage.basis * stage.mean[..., None]).sum((0, 1)) / stage.deviations
        bias[:count] = _SHIFT - offset - shift * weights.sum((0, 1))
        deviations, shift = stage.deviations, _SHIFT
    kernel, bias = _parameters(last)
    count = len(deviations)
    kernel[:count].zero_()
    index = torch.arange(count)
    kernel[index, index, _CENTER, _CENTER] = deviations * unit
    bias[:count] = -_SHIFT * deviations * unit
    # what is left over starts quietly
    kernel[count:] *= 0.1


def _initialize_synthesis(layers: nn.Sequential, stages: list[_Stage], unit: float) -> None:
    kernels = [layer for layer in layers if isinstance(layer, _KERNELS)]
    factors, shift = torch.full_like(stages[-1].deviations, 1 / unit), 0.0
    for number, (layer, stage) in enumerate(zip(kernels, reversed(stages), strict=True)):
        kernel, bias = _parameters(layer)
        outputs, count = stage.basis.shape[1:]
        last = number == len(stages) - 1
        deviations = torch.ones(outputs) if last else stages[-2 - number].deviations
        weights = stage.basis * factors / deviations[:, None]  # 4 x outputs x components
        offset = stage.mean / deviations - shift * weights.sum(2)
        if not last:
            offset = offset + _SHIFT
        kernel[:, :outputs].zero_()
        kernel[:count, :outputs, 2:4, 2:4] = weights.permute(2, 1, 0).unflatten(2, (2, 2))
        if number == 0:  # nothing was shifted, and components have no mean
            bias[:outputs] = offset.mean(0)
        else:
            kernel[-1].zero_()
            kernel[-1, :outputs, 2:4, 2:4] = offset.T.unflatten(1, (2, 2))
        if not last:
            kernel[:, -1].zero_()
            bias[-1] = 1.0
        factors, shift = deviations, _SHIFT


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
