"""Measure what a learned codec computes: parameters and multiplications per pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Complexity:
    """What a codec's networks hold and compute at a rate point.

    Attributes:
        encoder_parameters, decoder_parameters: number of the parameters that coding uses. What both
            sides use counts on both.
        encoder_kmac, decoder_kmac: thousands of multiply-accumulate operations per pixel of the
            image. Entropy coding itself is not in them.
    """

    encoder_parameters: int
    decoder_parameters: int
    encoder_kmac: float
    decoder_kmac: float


def count_parameters(parts: Iterable[nn.Module]) -> int:
    """Return the number of parameters in some networks; a shared one counts once."""
    found = {id(value): value.numel() for part in parts for value in part.parameters()}
    return sum(found.values())


def count_kmac(compute: Callable[[], object], pixels: int) -> float:
    """Return the thousands of multiply-accumulate operations per pixel of a computation in torch.

    torch's own counter (`torch.utils.flop_counter`) counts the operations of convolutions and
    matrix products, two per multiplication; additions of a bias, activations and interpolation are
    not counted. A masked kernel counts whole, and so do the pixels beyond the border.

    Args:
        compute: carries it out, also on the device ``meta``, where nothing is computed.
        pixels: number of pixels of the image that it is about; sides that no network has to pad.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        compute()
    return float(counter.get_total_flops() / 2 / pixels / 1000)
