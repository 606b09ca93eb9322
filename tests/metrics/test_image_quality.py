"""PSNR and MS-SSIM of images whose values are known."""

import math

import numpy as np
import pytest

from benchmark.metrics.image_quality import multi_scale_ssim, psnr


def image(seed=0, size=(192, 256)):
    return np.random.default_rng(seed).integers(10, 240, (*size, 3), dtype=np.uint8)


def test_psnr_of_an_error_of_one_everywhere():
    assert psnr(image(), image() + 1) == pytest.approx(20 * math.log10(255))


def test_equal_images_are_perfect():
    assert psnr(image(), image()) == math.inf
    assert multi_scale_ssim(image(), image()) == pytest.approx(1)


def test_ms_ssim_falls_with_the_error():
    noise = np.random.default_rng(1).integers(-9, 10, (192, 256, 3))
    little, much = ((image() + scale * noise).clip(0, 255).astype(np.uint8) for scale in (1, 4))
    assert 1 > multi_scale_ssim(image(), little) > multi_scale_ssim(image(), much) > 0


def test_images_too_small_for_ms_ssim_have_none():
    assert math.isnan(multi_scale_ssim(image(size=(128, 256)), image(size=(128, 256))))
