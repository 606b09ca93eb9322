"""The NCN: transforms, hyperprior, and the autoregressive model of the hyper latent.

The network of the paper, which follows Minnen et al., "Joint autoregressive and hierarchical
priors for learned image compression" (NeurIPS 2018), with three differences: the latent y is
rounded without its mean being subtracted, its distribution is a Laplace distribution without a
context model of y, and an autoregressive model describes the hyper latent z instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from compressai.layers import GDN
from torch import Tensor, nn
from torch.nn import functional

from .layers import (
    CausalConvolution,
    add_noise,
    convolution,
    inverse_gdn,
    laplace_bits,
    pad,
    scale_of,
    upsampling,
)

CHANNELS = 192
"""Channels in the paper."""


@dataclass(frozen=True)
class Distribution:
    """Laplace distributions, one an element of a latent.

    Attributes:
        mean: N x C x H x W, in steps of the latent.
        scale: the same shape, not negative.
    """

    mean: Tensor
    scale: Tensor


@dataclass(frozen=True)
class Coded:
    """What the network makes of images.

    Attributes:
        images: decoded, N x 3 x H x W as the input; not clipped to [0, 1].
        latent: y-hat, N x C x H'/16 x W'/16, where H' and W' are H and W rounded up to
            multiples of 64. Integers in evaluation mode.
        latent_bits: estimated bits of each of its elements.
        hyper_latent: z-hat, N x C/2 x H'/64 x W'/64. Integers in evaluation mode.
        hyper_latent_bits: estimated bits of each of its elements.
    """

    images: Tensor
    latent: Tensor
    latent_bits: Tensor
    hyper_latent: Tensor
    hyper_latent_bits: Tensor

    @property
    def bits(self) -> Tensor:
        """All estimated bits of each image: N values."""
        return self.latent_bits.sum((1, 2, 3)) + self.hyper_latent_bits.sum((1, 2, 3))

    @property
    def bits_per_pixel(self) -> Tensor:
        """Estimated bits over pixels, averaged over the images: R of the training loss."""
        height, width = self.images.shape[-2:]
        return self.bits.mean() / (height * width)


class HyperLatentModel(nn.Module):
    """The distribution of each element of z, from the elements before it in raster order.

    All channels of one position are independent given the earlier positions.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = CausalConvolution(channels, channels)
        self.mean = CausalConvolution(channels, channels)
        self.raw_scale = CausalConvolution(channels, channels)

    def forward(self, hyper_latent: Tensor) -> Distribution:
        """The distributions of z-hat (N x C/2 x h x w) given z-hat, all positions at once."""
        hidden = functional.leaky_relu(self.hidden(hyper_latent), LEAK)
        return Distribution(self.mean(hidden), scale_of(self.raw_scale(hidden)))


LEAK = 0.01
"""Slope of the leaky ReLU below zero."""


class NCN(nn.Module):
    """The codec's network; ``NCN(192)`` has 14.3 million parameters.

    The published checkpoints hold 18.9 million. The others weight a second input of four layers,
    which is there for codecs of several layers and all zeros in this one.
    """

    def __init__(self, channels: int = CHANNELS, hidden_channels: int = 0) -> None:
        """An untrained network.

        Args:
            channels: those of y; z has half of them. Even.
            hidden_channels: those of all transforms inside; 0, as in the paper: as many.
        """
        super().__init__()
        hidden = hidden_channels or channels
        if channels < 2 or channels % 2:
            raise ValueError(f"{channels} channels: an even number is needed")
        self.channels = channels
        self.hidden_channels = hidden
        self.analysis = nn.Sequential(
            *(convolution(3, hidden), nn.ReLU()),
            *(convolution(hidden, hidden), nn.ReLU()),
            *(convolution(hidden, hidden), nn.ReLU()),
            *(convolution(hidden, channels), nn.ReLU()),
            convolution(channels, channels, stride=1),
        )
        self.hyper_encoder = nn.Sequential(
            convolution(channels, hidden), GDN(hidden), convolution(hidden, channels // 2)
        )
        self.hyper_latent_model = HyperLatentModel(channels // 2)
        self.hyper_decoder = nn.Sequential(
            *(upsampling(channels // 2, hidden), inverse_gdn(hidden)),
            *(upsampling(hidden, 2 * hidden), inverse_gdn(2 * hidden)),
            convolution(2 * hidden, 2 * channels, stride=1),
        )
        self.synthesis = nn.Sequential(
            *(upsampling(channels, hidden), nn.ReLU()),
            *(upsampling(hidden, hidden), nn.ReLU()),
            *(upsampling(hidden, hidden), nn.ReLU()),
            upsampling(hidden, 3),
        )

    def forward(
        self, images: Tensor, alpha: Tensor | None = None, log_gain: Tensor | None = None
    ) -> Coded:
        """Codes and decodes images; rounds in evaluation mode, adds noise in training mode.

        Args:
            images: N x 3 x H x W, RGB in [0, 1].
            alpha: what `LSMnet` makes of the same images, N x C x H'/16 x W'/16 in [0, 1]; the
                latent is masked with it.
            log_gain: natural logarithms of C factors by which the channels of y are multiplied,
                which everything behind undoes (`initialization.scale_latent`); None for none.
        """
        device = images.device.type
        latent = self.analysis(pad(images)).float()
        with torch.autocast(device, enabled=False):
            # in bfloat16, in which the transforms may be trained, likelihoods would be wrong
            hyper_latent = self.hyper_encoder(latent)
            expected = self.latent_distribution(rounded(hyper_latent), log_gain)
            if log_gain is not None:
                gain = log_gain.exp()[:, None, None]
                latent = latent * gain
            if alpha is not None:
                latent = mask(latent, expected.mean, alpha.float())
            coded, hyper_coded = self.quantise(latent), self.quantise(hyper_latent)
            latent_bits = laplace_bits(coded, expected.mean, expected.scale)
            expected = self.hyper_latent_model(hyper_coded)
            hyper_latent_bits = laplace_bits(hyper_coded, expected.mean, expected.scale)
            hyper_latent = hyper_coded
        height, width = images.shape[-2:]
        quantised = rounded(latent)
        if log_gain is not None:
            quantised = quantised / gain
        decoded = self.synthesis(quantised)[..., :height, :width].float()
        return Coded(decoded, coded, latent_bits, hyper_latent, hyper_latent_bits)

    def latent_distribution(
        self, hyper_latent: Tensor, log_gain: Tensor | None = None
    ) -> Distribution:
        """The distributions of y-hat (N x C x 4h x 4w), from z-hat (N x C/2 x h x w)."""
        mean, raw_scale = self.hyper_decoder(hyper_latent).chunk(2, dim=1)
        if log_gain is not None:
            mean = mean * log_gain.exp()[:, None, None]
            raw_scale = raw_scale - log_gain[:, None, None]
        return Distribution(mean, scale_of(raw_scale))

    def quantise(self, values: Tensor) -> Tensor:
        """Values rounded to integers, half to even; in training mode, with noise instead."""
        return add_noise(values) if self.training else torch.round(values)


def rounded(values: Tensor) -> Tensor:
    """Values rounded to integers, half to even, with the gradient of the values themselves."""
    return values + (torch.round(values) - values).detach()


def mask(latent: Tensor, mean: Tensor, alpha: Tensor) -> Tensor:
    """y' = y - alpha (y - mu): the latent drawn towards what the decoder expects anyway.

    Args:
        latent: y, N x C x H x W.
        mean: mu, of the same shape.
        alpha: in [0, 1], of the same shape; 0 keeps y, 1 replaces it by mu.
    """
    return latent - alpha * (latent - mean)
