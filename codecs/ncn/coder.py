"""Codes images with an NCN into bitstreams, and back."""

from __future__ import annotations

import numpy as np
import torch

from benchmark.codec import Explanation
from benchmark.image import Image

from .bitstream import BitstreamError, Header, fingerprint, pack, unpack
from .entropy_coding import LatentCoder
from .layers import STRIDE, laplace_bits, pad
from .lsmnet import LSMnet
from .network import NCN, mask
from .scale_table import FRACTION_BITS


class ImageCoder:
    """An NCN, perhaps with an LSMnet, as encoder and decoder. Decoding needs no LSMnet."""

    def __init__(
        self, network: NCN, lsmnet: LSMnet | None, weights: str, device: str = "cpu"
    ) -> None:
        """Prepares exact entropy coding.

        Args:
            network: in evaluation mode.
            lsmnet: masks the latents; None leaves them as they are.
            weights: identifies the network's weights.
            device: where the networks compute. Distributions are computed on the CPU, exactly, so
                that bitstreams made on one device are decoded on any other.

        Raises:
            UsageError: if weights that entropy coding depends on are not finite or too large.
        """
        self._device = device
        self._weights = weights
        self._latents = LatentCoder(network)
        self._network = network.to(device)
        self._lsmnet = lsmnet.to(device) if lsmnet else None

    @torch.inference_mode()
    def encode(self, image: Image) -> bytes:
        """The bitstream of an image (uint8, H x W x 3).

        The latents are masked with the means that the decoder will have, not with those of the
        network in floating point.
        """
        pixels = self._pixels(image)
        latent = self._network.analysis(pad(pixels))
        hyper_latent = torch.round(self._network.hyper_encoder(latent))[0].cpu()
        expected = self._latents.latent_distribution(hyper_latent)
        if self._lsmnet:
            means = expected.mean.float().to(self._device) / 2**FRACTION_BITS
            latent = mask(latent, means, self._lsmnet(pixels))
        height, width = image.shape[:2]
        header = Header(fingerprint(self._weights, height, width), height, width)
        payload = self._latents.encode(
            torch.round(latent)[0].cpu(), hyper_latent, expected, bytes(header)
        )
        return pack(header, payload)

    @torch.inference_mode()
    def decode(self, bitstream: bytes) -> Image:
        """The image of a bitstream.

        Raises:
            BitstreamError: if it was not made with these weights, or is damaged.
        """
        header, payload = unpack(bitstream)
        if header.fingerprint != fingerprint(self._weights, header.height, header.width):
            raise BitstreamError("the NCN bitstream was made with other weights, or is damaged")
        size = -(-header.height // STRIDE), -(-header.width // STRIDE)
        latent = self._latents.decode(payload, size, bytes(header))
        decoded = self._network.synthesis(latent[None].to(self._device))
        pixels = decoded[0, :, : header.height, : header.width]
        samples = (pixels * 255).round().clamp(0, 255).byte().cpu()
        return np.ascontiguousarray(samples.permute(1, 2, 0).numpy())

    def _pixels(self, image: Image) -> torch.Tensor:
        """An image as 1 x 3 x H x W, 0 to 1, on the device."""
        pixels = torch.tensor(image).permute(2, 0, 1)[None].to(self._device)
        return pixels.float() / 255

    @torch.inference_mode()
    def explain(self, image: Image) -> Explanation:
        """What encoding does to the latent of an image (uint8, H x W x 3).

        Distributions and bits are the network's own, in floating point; those of the entropy
        coder differ from them by its rounding only.
        """
        pixels = self._pixels(image)
        padded = pad(pixels)
        latent = self._network.analysis(padded)
        hyper_latent = torch.round(self._network.hyper_encoder(latent))
        expected = self._network.latent_distribution(hyper_latent)
        alpha = self._lsmnet(pixels) if self._lsmnet else None
        masked = latent if alpha is None else mask(latent, expected.mean, alpha)
        bits_before, bits_after = (
            laplace_bits(torch.round(values), expected.mean, expected.scale)
            for values in (latent, masked)
        )
        return Explanation(
            alpha=None if alpha is None else alpha[0].numpy(force=True),
            latent=latent[0].numpy(force=True),
            mean=expected.mean[0].numpy(force=True),
            scale=expected.scale[0].numpy(force=True),
            masked=masked[0].numpy(force=True),
            bits_before=bits_before[0].numpy(force=True),
            bits_after=bits_after[0].numpy(force=True),
            stride=padded.shape[-1] // latent.shape[-1],
        )
