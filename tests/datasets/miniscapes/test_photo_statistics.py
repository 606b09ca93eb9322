"""Miniscapes stand in for photographs: their statistics, over all of val, lie in the same ranges.

The ranges were set around what was measured on street photographs (CamVid, cut to 2:1 and resized
to 512 x 256): noise 2.1 (mean) and 1.1 (median), horizontal difference 7.9, slope -2.5, standard
deviation 59, JPEG 0.56 bpp at 33.3 dB, libvvenc 0.031, 0.099 and 0.278 bpp at QP 52, 44 and 36.
"""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from benchmark.codec import open_codec
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import read_image
from benchmark.image import Image
from benchmark.metrics.image_quality import psnr

Luma = NDArray[np.float64]


@pytest.fixture(scope="module")
def images() -> list[Image]:
    return [read_image(picture.path) for picture in open_dataset("miniscapes").pictures]


def test_luma_has_the_statistics_of_photographs(images: list[Image]) -> None:
    lumas = [image.astype(float) @ [0.299, 0.587, 0.114] for image in images]
    mean_noise, median_noise = np.mean([_noise(luma) for luma in lumas], axis=0)
    assert 1.5 <= mean_noise <= 3.5
    assert 0.8 <= median_noise <= 2
    assert 6 <= np.mean([np.abs(np.diff(luma, axis=1)).mean() for luma in lumas]) <= 11
    assert -2.9 <= np.mean([_slope(luma) for luma in lumas]) <= -2.3
    assert 45 <= np.mean([luma.std() for luma in lumas]) <= 65


def test_jpeg_codes_them_like_photographs(images: list[Image]) -> None:
    bpp, decibel = [], []
    for image in images:
        file = io.BytesIO()
        PIL.Image.fromarray(image).save(file, "JPEG", quality=35)
        bpp.append(8 * len(file.getvalue()) / (image.shape[0] * image.shape[1]))
        decibel.append(psnr(image, np.asarray(PIL.Image.open(file))))
    assert 0.5 <= np.mean(bpp) <= 0.8
    assert np.mean(decibel) >= 30.5


@pytest.mark.long
@pytest.mark.parametrize(
    ("rate_point", "bpp_range", "least_decibel"),
    [("qp52", (0.025, 0.05), 25.0), ("qp44", (0.08, 0.15), 28.5), ("qp36", (0.24, 0.42), 32.5)],
)
def test_libvvenc_codes_them_like_photographs(
    images: list[Image], rate_point: str, bpp_range: tuple[float, float], least_decibel: float
) -> None:
    codec = open_codec("vvenc")
    bpp, decibel = [], []
    for image in images:
        bitstream = codec.encode(image, codec.rate_point(rate_point))
        bpp.append(8 * len(bitstream) / (image.shape[0] * image.shape[1]))
        decibel.append(psnr(image, codec.decode(bitstream)))
    assert bpp_range[0] <= np.mean(bpp) <= bpp_range[1]
    assert np.mean(decibel) >= least_decibel


def _noise(luma: Luma) -> tuple[float, float]:
    """Immerkaer's estimate of the noise's sigma (CVIU 1996), from mean and median responses."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    windows = np.lib.stride_tricks.sliding_window_view(luma, (3, 3))
    response = np.abs(np.einsum("ijkl,kl->ij", windows, kernel))
    to_sigma = np.sqrt(np.pi / 2) / 6
    # of a Gaussian's absolute values the median is 0.845 times the mean
    return to_sigma * response.mean(), to_sigma * float(np.median(response)) / 0.845


def _slope(luma: Luma) -> float:
    """Slope of the log power spectrum over log frequency, 0.02 to 0.5 cycles per pixel."""
    height, width = luma.shape
    windowed = (luma - luma.mean()) * np.hanning(height)[:, None] * np.hanning(width)
    power = np.abs(np.fft.fft2(windowed)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    edges = np.geomspace(0.02, 0.5, 12)
    rings = [power[(frequency >= low) & (frequency < high)].mean() for low, high in pairwise(edges)]
    return float(np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), np.log(rings), 1)[0])
