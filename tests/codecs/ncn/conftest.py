"""What the tests of the NCN share: weights and images from a seed, in published form."""

import math

import pytest
import torch
from torch import Tensor

_PRIOR = "LSUnits.0.priorNetwork."


def _ncn_shapes(n: int) -> dict[str, tuple[int, ...]]:
    """Layers of a published checkpoint: the shapes of their kernels; of a GDN, its channels."""
    return {
        "encoder.0": (n, 3, 5, 5),
        "encoder.1": (n, n, 5, 5),
        "encoder.2": (n, n, 5, 5),
        "decoder.0": (n, n, 5, 5),
        "decoder.1": (n, n, 5, 5),
        "decoder.2": (n, 3, 5, 5),
        "LSUnits.0.convEnc": (n, n, 5, 5),
        "LSUnits.0.deconvDec": (2 * n, n, 5, 5),
        "LSUnits.0.LSGen": (n, 2 * n, 5, 5),
        _PRIOR + "encoder_first": (n, 2 * n, 5, 5),
        _PRIOR + "encoder.0": (n // 2, n, 5, 5),
        _PRIOR + "encoder_GDN.0": (n,),
        _PRIOR + "decoder.0": (n // 2, n, 5, 5),
        _PRIOR + "decoder.1": (n, 2 * n, 5, 5),
        _PRIOR + "decoder_GDN.0": (n,),
        _PRIOR + "decoder_GDN.1": (2 * n,),
        _PRIOR + "decoder_final": (2 * n, 3 * n, 5, 5),
        _PRIOR + "autoregressive.conv1": (n // 2, n // 2, 3, 3),
        _PRIOR + "autoregressive.conv2": (n // 2, n // 2, 3, 3),
        _PRIOR + "autoregressive.conv3": (n // 2, n // 2, 3, 3),
    }


_TRANSPOSED = ("decoder.0", "decoder.1", "decoder.2", "deconvDec")
_GAINS = {
    "LSUnits.0.LSGen": 4,
    "decoder.2": 0.1,
    _PRIOR + "encoder.0": 2,
    _PRIOR + "decoder.0": 0.5,
    _PRIOR + "decoder.1": 0.5,
    _PRIOR + "autoregressive.conv1": 0.5,
}
"""Factors that give latents of a few steps and a picture of about [0, 1]."""


def published_weights(
    channels: int = 192, seed: int = 0, lsmnet: bool = False
) -> dict[str, Tensor]:
    """A published checkpoint's state dict, filled from a seed with exact arithmetic only.

    The numbers are uniform (of torch's Mersenne twister, the same everywhere), in a range that
    keeps the size of what passes through (He et al., ICCV 2015).
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int, low: float = -1, high: float = 1) -> Tensor:
        return torch.rand(shape, generator=generator) * (high - low) + low

    weights: dict[str, Tensor] = {}
    for name, shape in _ncn_shapes(channels).items():
        if len(shape) == 1:
            weights[f"{name}.beta"] = uniform(*shape, low=0.7, high=1.3)
            weights[f"{name}.gamma"] = uniform(*shape * 2, low=0, high=0.03)
            weights[f"{name}.gamma"] += 0.3 * torch.eye(*shape)
            continue
        transposed = name.endswith(_TRANSPOSED)
        inputs = math.prod(shape) // shape[1 if transposed else 0]
        bound = math.sqrt(6 / inputs) * (2 if transposed else 1)
        weights[f"{name}.weight"] = uniform(*shape) * (bound * _GAINS.get(name, 1))
        weights[f"{name}.bias"] = uniform(shape[1 if transposed else 0], low=-0.1, high=0.1)
        if "autoregressive" in name:
            behind = torch.tensor([[0, 0, 0], [0, 1, 1], [1, 1, 1]], dtype=torch.bool)
            weights[f"{name}.mask"] = behind.expand(shape).clone()
    if lsmnet:
        weights |= _lsmnet_weights(channels, uniform)
    return weights


def _lsmnet_weights(channels, uniform) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}

    def add(name: str, outputs: int, inputs: int, kernel: int, gain: float = 1) -> None:
        bound = gain * math.sqrt(6 / (inputs * kernel**2))
        weights[f"{name}.weight"] = uniform(outputs, inputs, kernel, kernel) * bound
        weights[f"{name}.norm.weight"] = uniform(outputs, low=0.5, high=1.5)
        weights[f"{name}.norm.bias"] = uniform(outputs, low=-0.1, high=0.1)
        weights[f"{name}.norm.running_mean"] = uniform(outputs, low=-0.1, high=0.1)
        weights[f"{name}.norm.running_var"] = uniform(outputs, low=0.5, high=1.5)

    add("parallelBranch.0.conv1", 64, 3, 7, gain=0.02)
    inputs = 64
    for stage, (width, blocks) in enumerate([(256, 3), (512, 4), (1024, 6)], start=1):
        for block in range(blocks):
            name = f"parallelBranch.{stage}.{block}"
            if block == 0:
                add(f"{name}.shortcut", width, inputs, 1)
            add(f"{name}.conv1", width // 4, inputs, 1)
            add(f"{name}.conv2", width // 4, width // 4, 3)
            add(f"{name}.conv3", width, width // 4, 1, gain=0.3)
            inputs = width
    bound = math.sqrt(0.1 / inputs)
    weights["LSUnits.0.resNetToMask.0.weight"] = uniform(channels, inputs, 1, 1) * bound
    weights["LSUnits.0.resNetToMask.0.bias"] = uniform(channels)
    return weights


def picture(height: int, width: int, seed: int = 1) -> Tensor:
    """1 x 3 x H x W in [0, 1]: squares of 16 pixels with noise on them."""
    generator = torch.Generator().manual_seed(seed)
    squares = torch.rand((1, 3, -(-height // 16), -(-width // 16)), generator=generator)
    squares = squares.repeat_interleave(16, -1).repeat_interleave(16, -2)[..., :height, :width]
    return 0.75 * squares + 0.25 * torch.rand((1, 3, height, width), generator=generator)


@pytest.fixture(scope="session")
def published():
    """`published_weights`, for tests."""
    return published_weights


@pytest.fixture(scope="session")
def picture_of():
    """`picture`, for tests."""
    return picture
