"""RGB to and from planar YUV 4:2:0: the one conversion of all 4:2:0 codecs, and its own loss.

ITU-R BT.709 matrix, full range (8 bit: Y 0 to 255, Cb and Cr 128 +- 127.5), chroma sited at the
centre of its 2 x 2 pixels: averaged down, interpolated up bilinearly. 10-bit samples are 8-bit
samples times 4, as VTM makes them of an 8-bit input. All sums are of integers and rounded once,
so that every machine feeds the same bytes to an encoder.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from benchmark.codec import Codec, RatePoint, rate_points
from benchmark.image import Image

Plane = NDArray[np.int32]

CONVERSION = "BT.709, full range, 8 bit, centre-sited chroma, mean down, bilinear up"
"""For the identity of the codecs that use it; it changes whenever a sample does."""

_BITS = 16  # fractional bits of the coefficients; the largest sum of 12-bit samples fits 32 bits
_KR, _KB = 0.2126, 0.0722
_KG = 1 - _KR - _KB
_CB_RANGE, _CR_RANGE = 2 * (1 - _KB), 2 * (1 - _KR)  # Cb = (B - Y) / 1.8556, Cr = (R - Y) / 1.5748
_SIZE = struct.Struct(">II")


def _fixed(*coefficients: float) -> tuple[int, ...]:
    return tuple(round(coefficient * (1 << _BITS)) for coefficient in coefficients)


_Y_OF_RGB = _fixed(_KR, _KG, _KB)
_CB_OF_RGB = _fixed(-_KR / _CB_RANGE, -_KG / _CB_RANGE, 0.5)
_CR_OF_RGB = _fixed(0.5, -_KG / _CR_RANGE, -_KB / _CR_RANGE)
# Upsampled chroma comes in sixteenths.
_R_OF_CR, _B_OF_CB, _G_OF_CB, _G_OF_CR = _fixed(
    _CR_RANGE / 16, _CB_RANGE / 16, -_CB_RANGE * _KB / _KG / 16, -_CR_RANGE * _KR / _KG / 16
)


def rgb_to_yuv420(image: Image, bit_depth: int = 8) -> bytes:
    """The planes Y, Cb, Cr of an image, one after the other.

    Args:
        image: uint8, H x W x 3, H and W even.
        bit_depth: of the samples; above 8 they are 16-bit words, little endian.

    Returns:
        H * W * 3 / 2 samples.

    Raises:
        ValueError: if a side is odd.
    """
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"4:2:0 needs even sides, not {width} x {height}")
    rgb = [np.array(image[..., channel], np.int32) for channel in range(3)]
    sums_of_four = [
        channel[::2, ::2] + channel[1::2, ::2] + channel[::2, 1::2] + channel[1::2, 1::2]
        for channel in rgb
    ]
    planes = (
        _weighted_sum(rgb, _Y_OF_RGB, 0, _BITS),
        _weighted_sum(sums_of_four, _CB_OF_RGB, 128, _BITS + 2),
        _weighted_sum(sums_of_four, _CR_OF_RGB, 128, _BITS + 2),
    )
    samples = np.concatenate([plane.ravel() for plane in planes])
    if bit_depth == 8:
        return samples.astype(np.uint8).tobytes()
    return (samples << (bit_depth - 8)).astype("<u2").tobytes()


def yuv420_to_rgb(samples: bytes, width: int, height: int, bit_depth: int = 8) -> Image:
    """The image of planes such as `rgb_to_yuv420` returns.

    Args:
        samples: the planes Y, Cb, Cr.
        width: of the picture; even.
        height: of the picture; even.
        bit_depth: of the samples, 8 to 12; above 8 they are 16-bit words, little endian.

    Raises:
        ValueError: if ``samples`` is not one picture of that size.
    """
    count = width * height
    sample_type = np.dtype(np.uint8 if bit_depth == 8 else "<u2")
    if width % 2 or height % 2 or len(samples) * 2 != count * 3 * sample_type.itemsize or not count:
        raise ValueError(
            f"{len(samples)} bytes are not one {bit_depth}-bit 4:2:0 picture of {width} x {height}"
        )
    values = np.frombuffer(samples, sample_type).astype(np.int32)
    y = values[:count].reshape(height, width) << _BITS
    shift = _BITS + bit_depth - 8
    y += 1 << (shift - 1)
    chroma = values[count:].reshape(2, height // 2, width // 2) - (128 << (bit_depth - 8))
    cb, cr = _upsampled(chroma[0]), _upsampled(chroma[1])
    image = np.empty((height, width, 3), np.uint8)
    rgb = (y + _R_OF_CR * cr, y + _G_OF_CB * cb + _G_OF_CR * cr, y + _B_OF_CB * cb)
    for channel, plane in enumerate(rgb):
        image[..., channel] = np.clip(plane >> shift, 0, 255)
    return image


class Yuv420(Codec):
    """Converts and codes nothing: the loss that every 4:2:0 codec starts from."""

    name = "yuv420"
    rate_points = rate_points("bits", 12)

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        return _SIZE.pack(image.shape[1], image.shape[0]) + rgb_to_yuv420(image)

    def decode(self, bitstream: bytes) -> Image:
        if len(bitstream) < _SIZE.size:
            raise ValueError(f"a bitstream of {len(bitstream)} bytes holds no picture size")
        return yuv420_to_rgb(bitstream[_SIZE.size :], *_SIZE.unpack_from(bitstream))


def _weighted_sum(rgb: list[Plane], weights: tuple[int, ...], offset: int, bits: int) -> Plane:
    total = sum(weight * channel for weight, channel in zip(weights, rgb, strict=True))
    return np.clip((total + (1 << (bits - 1)) >> bits) + offset, 0, 255)


def _upsampled(plane: Plane) -> Plane:
    """Twice the size, in sixteenths: 3/4 of the nearest sample and 1/4 of the next, each way."""
    for axis in (0, 1):
        edges = [(1, 1) if of == axis else (0, 0) for of in (0, 1)]
        padded = np.moveaxis(np.pad(plane, edges, mode="edge"), axis, 0)
        near = 3 * padded[1:-1]
        pairs = np.stack([near + padded[:-2], near + padded[2:]], axis=1)
        plane = np.moveaxis(pairs.reshape(-1, padded.shape[1]), 0, axis)
    return plane
