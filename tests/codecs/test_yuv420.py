"""The conversion, held against the equations of BT.709 in floating point."""

import numpy as np
import pytest

from benchmark.codecs.yuv420 import rgb_to_yuv420, yuv420_to_rgb


def random_image(height, width):
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def planes(samples, height, width, sample_type=np.uint8):
    values = np.frombuffer(samples, sample_type).astype(float)
    luma, chroma = values[: height * width], values[height * width :]
    return luma.reshape(height, width), *chroma.reshape(2, height // 2, width // 2)


def test_forward_is_the_rounded_equations_of_bt709():
    image = random_image(48, 64).astype(float)
    red, green, blue = np.moveaxis(image, 2, 0)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    four = [
        np.clip(128 + chroma.reshape(24, 2, 32, 2).mean(axis=(1, 3)), 0, 255)
        for chroma in ((blue - luma) / 1.8556, (red - luma) / 1.5748)
    ]
    found = planes(rgb_to_yuv420(image.astype(np.uint8)), 48, 64)
    for plane, expected in zip(found, [luma, *four], strict=True):
        assert np.abs(plane - expected).max() < 0.51


def test_backward_is_bt709_of_linearly_interpolated_chroma():
    height, width, random = 20, 28, np.random.default_rng(5)
    y = random.integers(0, 1024, (height, width))
    chroma = random.integers(300, 724, (2, height // 2, width // 2))
    samples = np.concatenate([y.ravel(), chroma.ravel()]).astype("<u2").tobytes()

    def at_pixels(plane):
        # A chroma sample lies between its pixels: pixel i is at (i - 0.5) / 2 samples.
        for axis, count in enumerate((height, width)):
            positions = (np.arange(count) - 0.5) / 2
            plane = np.apply_along_axis(
                lambda line, at=positions: np.interp(at, np.arange(len(line)), line), axis, plane
            )
        return plane

    luma, (cb, cr) = y / 4, [at_pixels(plane / 4 - 128) for plane in chroma]
    red, blue = luma + 1.5748 * cr, luma + 1.8556 * cb
    green = (luma - 0.2126 * red - 0.0722 * blue) / 0.7152
    expected = np.clip(np.stack([red, green, blue], axis=2), 0, 255)
    found = yuv420_to_rgb(samples, width, height, 10)
    assert np.abs(found - expected).max() < 0.52


def test_grey_is_kept_exactly():
    grey = np.repeat(np.arange(256, dtype=np.uint8), 4).reshape(16, 64)
    image = np.repeat(grey[..., None], 3, axis=2)
    for bit_depth in (8, 10):
        samples = rgb_to_yuv420(image, bit_depth)
        assert np.array_equal(yuv420_to_rgb(samples, 64, 16, bit_depth), image)


def test_flat_colours_come_back_within_rounding():
    for colour in np.random.default_rng(1).integers(0, 256, (200, 3)):
        image = np.full((4, 6, 3), colour, np.uint8)
        decoded = yuv420_to_rgb(rgb_to_yuv420(image), 6, 4).astype(int)
        assert np.abs(decoded - image).max() <= 2


def test_ten_bit_samples_are_four_times_the_eight_bit_ones():
    image = random_image(16, 18)
    eight = np.frombuffer(rgb_to_yuv420(image), np.uint8)
    ten = np.frombuffer(rgb_to_yuv420(image, 10), "<u2")
    assert np.array_equal(ten, eight.astype(int) * 4)
    assert np.array_equal(
        yuv420_to_rgb(eight.tobytes(), 18, 16), yuv420_to_rgb(ten.tobytes(), 18, 16, 10)
    )


def test_odd_sides_are_refused():
    with pytest.raises(ValueError, match="even sides, not 5 x 4"):
        rgb_to_yuv420(np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="5 x 4"):
        yuv420_to_rgb(bytes(30), 5, 4)


def test_samples_of_another_size_are_refused():
    with pytest.raises(ValueError, match="23 bytes are not one 8-bit 4:2:0 picture of 4 x 4"):
        yuv420_to_rgb(bytes(23), 4, 4)
    with pytest.raises(ValueError, match="picture of 0 x 0"):
        yuv420_to_rgb(b"", 0, 0)
