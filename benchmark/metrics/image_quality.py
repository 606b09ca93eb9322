"""PSNR and MS-SSIM: how much a decoded image looks like the original."""

from __future__ import annotations

import math

import numpy as np
import torch
from pytorch_msssim import ms_ssim

from benchmark.image import Image

_SMALLEST_SIDE = 162
"""MS-SSIM halves the image four times, and its window of 11 has to fit the last."""


def psnr(original: Image, decoded: Image) -> float:
    """Peak signal-to-noise ratio in dB over all RGB samples; infinite for equal images."""
    error = original.astype(np.int32) - decoded.astype(np.int32)
    mean_square = float(np.mean(error * error))
    return math.inf if mean_square == 0 else 10 * math.log10(255**2 / mean_square)


def multi_scale_ssim(original: Image, decoded: Image) -> float:
    """MS-SSIM over RGB, at most 1; NaN for images with a side under 162 pixels."""
    if min(original.shape[:2]) < _SMALLEST_SIDE:
        return math.nan
    pair = [torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in (original, decoded)]
    first, second = (image[None].float() for image in pair)
    with torch.inference_mode():
        return float(ms_ssim(first, second, data_range=255))
