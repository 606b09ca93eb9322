"""Exact evaluation of what entropy coding depends on: the same bits everywhere.

Encoder and decoder must agree on every distribution to the last bit, whatever the machine, the
number of threads, the device or the memory layout. In floating point they do not, for the order
of a sum changes its last bits. Here all values are integers, held in float64: a sum of such is
exact in any order as long as no partial sum reaches 2^53, and each layer's weights are scaled so
that none can. Beyond sums there are only single additions, products, roundings and square roots,
which IEEE 754 defines to the last bit. Scales are not computed: the raw output is compared with
thresholds.

Activations have `FRACTION_BITS` fractional bits and are clamped to `LIMIT`, so that the bound
holds for any weights and any input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from compressai.layers import GDN
from torch import Tensor, nn
from torch.nn import functional

from benchmark.errors import UsageError

from .layers import KERNEL, CausalConvolution
from .network import LEAK, HyperLatentModel
from .scale_table import FRACTION_BITS, THRESHOLDS

LIMIT = 2**27
"""Largest magnitude of an activation in these units; 32768."""

HYPER_LATENT_LIMIT = 2**15
"""Largest magnitude of an element of z-hat."""

_SUM_BITS = 51
_LEAST_WEIGHT_BITS, _MOST_WEIGHT_BITS = 8, 24
_SQUARE_BITS = 16
_LIMB = 2.0**23


@dataclass(frozen=True)
class ExactDistribution:
    """Laplace distributions, one an element of a latent.

    Attributes:
        mean: int64, in units of 2^-`FRACTION_BITS`, at most `LIMIT` in magnitude.
        scale_index: int64 of the same shape: which of `SCALES`.
    """

    mean: Tensor
    scale_index: Tensor


class ExactHyperDecoder:
    """`NCN.latent_distribution`, exactly."""

    def __init__(self, hyper_decoder: nn.Sequential) -> None:
        """Rounds the weights once; ``hyper_decoder`` is that of an `NCN`.

        Raises:
            UsageError: if weights are not finite or too large.
        """
        self._layers: list[Callable[[Tensor], Tensor]] = []
        fraction_bits, limit = 0, HYPER_LATENT_LIMIT
        for layer in hyper_decoder:
            if isinstance(layer, GDN):
                self._layers.append(_exact_inverse_gdn(layer))
            else:
                self._layers.append(_exact_convolution(layer, fraction_bits, limit))
            fraction_bits, limit = FRACTION_BITS, LIMIT

    def __call__(self, hyper_latent: Tensor) -> ExactDistribution:
        """The distributions of y-hat (N x C x 4h x 4w).

        Args:
            hyper_latent: z-hat, N x C/2 x h x w, integers of any type, at most
                `HYPER_LATENT_LIMIT` in magnitude.

        Raises:
            ValueError: if they are not.
        """
        values = _checked(hyper_latent)
        with _no_cudnn():
            for layer in self._layers:
                values = layer(values)
        mean, raw_scale = values.chunk(2, dim=1)
        return _distribution(mean, raw_scale)


class ExactHyperLatentModel:
    """`HyperLatentModel`, exactly."""

    def __init__(self, model: HyperLatentModel) -> None:
        """Rounds the weights once.

        Raises:
            UsageError: if weights are not finite or too large.
        """
        self.hidden = _exact_convolution(model.hidden, 0, HYPER_LATENT_LIMIT)
        self.mean = _exact_convolution(model.mean, FRACTION_BITS, LIMIT)
        self.raw_scale = _exact_convolution(model.raw_scale, FRACTION_BITS, LIMIT)

    def __call__(self, hyper_latent: Tensor) -> ExactDistribution:
        """The distributions of z-hat given z-hat, all positions at once, as encoding needs them.

        Args:
            hyper_latent: z-hat, N x C/2 x h x w, integers of any type, at most
                `HYPER_LATENT_LIMIT` in magnitude.

        Raises:
            ValueError: if they are not.
        """
        values = _checked(hyper_latent)
        with _no_cudnn():
            hidden = _leaky(self.hidden(values))
            return _distribution(self.mean(hidden), self.raw_scale(hidden))


class HyperLatentScan:
    """Goes through z-hat of one image in raster order, as decoding needs it.

    At each position first `distribution`, then `put`. It costs the position's neighbourhood only,
    and gives exactly what `ExactHyperLatentModel` gives for the whole.
    """

    def __init__(self, model: ExactHyperLatentModel, height: int, width: int) -> None:
        """Starts at the first position of z-hat, C/2 x ``height`` x ``width``."""
        weight = model.hidden.weight
        self._width = width
        self._next = 0
        self._model = model
        self._hidden_weight = _causal_taps(weight)
        self._output_weight = _causal_taps(torch.cat([model.mean.weight, model.raw_scale.weight]))
        # zeros around, as both layers have them: one row above, one column at each side
        self._values = weight.new_zeros(height + 1, width + 2, weight.shape[1])
        self._hidden = torch.zeros_like(self._values)

    @property
    def hyper_latent(self) -> Tensor:
        """z-hat so far, float64, C/2 x height x width, zeros where nothing was put."""
        return self._values[1:, 1:-1].permute(2, 0, 1)

    def distribution(self) -> ExactDistribution:
        """The distributions of the C/2 elements at the next position."""
        sums = self._output_weight @ self._before(self._hidden)
        mean, raw_scale = sums.reshape(2, -1)
        return _distribution(
            self._model.mean.settled(mean[:, None, None])[:, 0, 0],
            self._model.raw_scale.settled(raw_scale[:, None, None])[:, 0, 0],
        )

    def put(self, values: Tensor) -> None:
        """Takes the C/2 integers at the next position.

        Raises:
            ValueError: if one is larger than `HYPER_LATENT_LIMIT` in magnitude.
        """
        row, column = divmod(self._next, self._width)
        sums = self._hidden_weight @ self._before(self._values)
        hidden = _leaky(self._model.hidden.settled(sums[:, None, None]))
        self._hidden[row + 1, column + 1] = hidden[:, 0, 0]
        self._values[row + 1, column + 1] = _checked(values)
        self._next += 1

    def _before(self, values: Tensor) -> Tensor:
        """The four positions that a causal convolution sees, as one vector."""
        row, column = divmod(self._next, self._width)
        above = values[row, column : column + 3].flatten()
        return torch.cat([above, values[row + 1, column]])


@dataclass(frozen=True)
class _ExactConvolution:
    """Integer weights, integer bias in units of the sums, and what a sum is worth.

    ``weight`` and ``bias`` are float64; a sum times ``step`` has units of 2^-12.
    """

    weight: Tensor
    bias: Tensor
    step: float
    convolve: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, values: Tensor) -> Tensor:
        return self.settled(self.convolve(values, self.weight))

    def settled(self, sums: Tensor) -> Tensor:
        return _settled((sums + self.bias) * self.step)


def _exact_convolution(layer: nn.Module, fraction_bits: int, limit: int) -> _ExactConvolution:
    """A layer whose inputs have so many fractional bits and are at most ``limit``."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None
    weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
    if isinstance(layer, CausalConvolution):
        weight = weight * layer.causal.double()
    inputs = (0, 2, 3) if isinstance(layer, nn.ConvTranspose2d) else (1, 2, 3)
    bits = _weight_bits(weight, inputs, limit)
    sum_bits = fraction_bits + bits
    _refuse_unless(bool((bias.abs() < 2.0 ** (_SUM_BITS - sum_bits)).all()))
    return _ExactConvolution(
        torch.round(weight * 2.0**bits),
        torch.round(bias * 2.0**sum_bits).reshape(-1, 1, 1),
        2.0 ** (FRACTION_BITS - sum_bits),
        _convolve_like(layer),
    )


def _convolve_like(layer: nn.Conv2d | nn.ConvTranspose2d) -> Callable[[Tensor, Tensor], Tensor]:
    if isinstance(layer, nn.ConvTranspose2d):
        return _upsample
    return _causal if isinstance(layer, CausalConvolution) else _convolve


def _convolve(values: Tensor, weight: Tensor) -> Tensor:
    """A 5x5 convolution, one matrix product a tap.

    torch's own would copy each input 25 times first: 600 MB for an image of 2048 x 1024. Here the
    rows lie one after another, padding included, and each tap sees them from another start.
    """
    height, width = values.shape[-2:]
    pitch = width + KERNEL - 1
    padded = functional.pad(values, [KERNEL // 2] * 4, mode="replicate").flatten(2)
    padded = functional.pad(padded, (0, KERNEL - 1))
    taps = weight.permute(2, 3, 0, 1).contiguous()
    sums = values.new_zeros(len(values), len(weight), height * pitch)
    for row in range(KERNEL):
        for column in range(KERNEL):
            start = row * pitch + column
            seen = padded[..., start : start + height * pitch]
            for image_sums, image_seen in zip(sums, seen, strict=True):
                image_sums.addmm_(taps[row, column], image_seen)
    return sums.unflatten(2, (height, pitch))[..., :width]


def _causal(values: Tensor, weight: Tensor) -> Tensor:
    return functional.conv2d(values, weight, padding=1)


def _upsample(values: Tensor, weight: Tensor) -> Tensor:
    return functional.conv_transpose2d(
        values, weight, stride=2, padding=KERNEL // 2, output_padding=1
    )


def _exact_inverse_gdn(layer: GDN) -> Callable[[Tensor], Tensor]:
    """x * sqrt(beta + gamma x^2); the squares are split in two, as they fill a float64."""
    _refuse_unless(layer.inverse)
    pedestal = 2.0**-36
    least_beta = math.sqrt(1e-6 + pedestal)
    beta = layer.beta.detach().double().clamp(min=least_beta).square() - pedestal
    gamma = layer.gamma.detach().double().clamp(min=2.0**-18).square() - pedestal
    _refuse_unless(bool((beta < 2.0**40).all()))
    bits = _weight_bits(gamma, (1,), int(_LIMB))
    weight = torch.round(gamma * 2.0**bits)[:, :, None, None]
    step = 2.0 ** -(_SQUARE_BITS + bits)
    beta = beta.reshape(-1, 1, 1)

    def apply(values: Tensor) -> Tensor:
        squares = torch.round(values * values * 2.0 ** (_SQUARE_BITS - 2 * FRACTION_BITS))
        high = torch.floor(squares / _LIMB)
        low = squares - high * _LIMB
        high, low = functional.conv2d(torch.cat([high, low]), weight).chunk(2)
        return _settled(values * torch.sqrt((high * _LIMB + low) * step + beta))

    return apply


def _weight_bits(weight: Tensor, inputs: tuple[int, ...], limit: int) -> int:
    """How many fractional bits weights may have so that no sum reaches 2^`_SUM_BITS`.

    The bound is computed with integers: near a power of two, rounding would decide otherwise.
    """
    finest = 30
    largest = torch.round(weight.abs() * 2.0**finest).sum(inputs).max().item()
    _refuse_unless(largest < 2.0**52)
    bits = _SUM_BITS + finest - (int(largest) * limit).bit_length()
    _refuse_unless(bits >= _LEAST_WEIGHT_BITS)
    return min(bits, _MOST_WEIGHT_BITS)


def _refuse_unless(condition: bool) -> None:
    if not condition:
        raise UsageError(
            "the weights of the hyper decoder or of the hyper latent's model are not finite, or "
            "too large for exact arithmetic: train with a lower learning rate"
        )


def _settled(values: Tensor) -> Tensor:
    return torch.round(values).clamp(-LIMIT, LIMIT)


def _leaky(values: Tensor) -> Tensor:
    return torch.where(values < 0, torch.round(values * LEAK), values)


def _causal_taps(weight: Tensor) -> Tensor:
    """The four taps of a causal kernel as one matrix, in the order of `HyperLatentScan`."""
    taps = torch.stack([weight[:, :, 0, 0], weight[:, :, 0, 1], weight[:, :, 0, 2]], dim=1)
    return torch.cat([taps.flatten(1), weight[:, :, 1, 0]], dim=1).contiguous()


def _checked(hyper_latent: Tensor) -> Tensor:
    values = hyper_latent.double()
    if not bool(((values == values.round()) & (values.abs() <= HYPER_LATENT_LIMIT)).all()):
        raise ValueError(f"z-hat is not made of integers up to {HYPER_LATENT_LIMIT} in magnitude")
    return values


def _distribution(mean: Tensor, raw_scale: Tensor) -> ExactDistribution:
    thresholds = torch.tensor(THRESHOLDS, dtype=torch.float64, device=raw_scale.device)
    passed = torch.bucketize(raw_scale.contiguous(), thresholds, right=True)
    return ExactDistribution(mean.long(), len(THRESHOLDS) - passed)


def _no_cudnn() -> AbstractContextManager[None]:
    """cuDNN may choose convolutions by Fourier or Winograd transform: they are not exact."""
    return torch.backends.cudnn.flags(enabled=False)
