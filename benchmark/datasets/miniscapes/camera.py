"""What the camera adds: bonnet, blur, vignetting, colour, tone and noise."""

import numpy as np

from benchmark.datasets.miniscapes import textures
from benchmark.datasets.miniscapes.canvas import Canvas, Dice, pixel_centres

EGO_VEHICLE = 1


def draw_bonnet(canvas: Canvas, dice: Dice) -> None:
    """The own car's bonnet along the lower edge."""
    height, width = canvas.ids.shape
    rise = height * dice.uniform(0.04, 0.10)
    x, y = pixel_centres((0, int(height * 0.85), width, height))
    offset = (x - width * dice.uniform(0.45, 0.55)) / (width * 0.62)
    edge = height - rise * (1.0 - offset * offset)
    cover = np.clip(y - edge + 0.5, 0.0, 1.0) + 0.0 * x
    tone = dice.uniform(0.08, 0.35)
    shine = 1.0 + 0.5 * textures.crop("smooth", cover.shape, dice) + 0.08 * (height - y)
    colour = shine[..., None] * np.array([tone, tone, tone * 1.05], np.float32)
    canvas.blend((0, int(height * 0.85), width, height), cover, colour, 1.0, EGO_VEHICLE)


def expose(rgb: np.ndarray, dice: Dice) -> np.ndarray:
    """The final uint8 picture from the drawn one (float32, H x W x 3)."""
    picture = _lens_blur(rgb, dice.uniform(-0.04, 0.05))
    if dice.chance(0.12):
        picture = _motion_blur(picture)
    picture = picture * _vignette(picture.shape[:2], dice.uniform(0.1, 0.4))[..., None]
    grey = (0.3 * picture[..., 0] + 0.59 * picture[..., 1] + 0.11 * picture[..., 2])[..., None]
    picture = grey + dice.uniform(0.3, 0.62) * (picture - grey)
    warmth = dice.uniform(-0.07, 0.09)
    exposure = dice.uniform(1.02, 1.45)
    gains = [exposure * (1.0 + warmth), exposure, exposure * (1.0 - warmth)]
    picture = picture * np.array(gains, np.float32)
    return _quantise(_tone(picture, dice.uniform(0.0, 0.1), dice.uniform(0.15, 0.5)), dice)


def _lens_blur(picture: np.ndarray, share: float) -> np.ndarray:
    """Each neighbour gets `share` of a pixel: 0 to 0.25 blurs, below 0 sharpens as cameras do."""
    for axis in (0, 1):
        size = picture.shape[axis]
        before = np.take(picture, np.maximum(np.arange(size) - 1, 0), axis)
        after = np.take(picture, np.minimum(np.arange(size) + 1, size - 1), axis)
        picture = (1.0 - 2.0 * share) * picture + share * (before + after)
    return picture


def _motion_blur(picture: np.ndarray) -> np.ndarray:
    """Three pixels' shake across."""
    right = np.concatenate([picture[:, 1:], picture[:, -1:]], 1)
    return 0.6 * picture + 0.4 * right


def _vignette(shape: tuple[int, ...], strength: float) -> np.ndarray:
    height, width = shape
    x, y = pixel_centres((0, 0, width, height))
    dx, dy = x * (2.0 / width) - 1.0, y * (2.0 / height) - 1.0
    radius = dx * dx * 0.7 + dy * dy * 0.3
    return 1.0 - strength * radius * radius


def _tone(picture: np.ndarray, contrast: float, depth: float) -> np.ndarray:
    """An S-shaped curve of some `contrast`, and shadows of some `depth`; 0 leaves all as it is."""
    value = np.clip(picture, 0.0, 1.15) / 1.08
    value = np.clip(value, 0.0, 1.0)
    curve = value * value * (3.0 - 2.0 * value)
    value = value + contrast * (curve - value)
    return value + depth * (value * value - value)


def _quantise(picture: np.ndarray, dice: Dice) -> np.ndarray:
    height, width, _ = picture.shape
    sigma = dice.uniform(2.1, 3.2)
    # Sums of uniform integers: nearly Gaussian. Grey noise is shared by the channels.
    raw = dice.integers(-60, 60, (height + 1, width + 1, 3)) + dice.integers(
        -60, 60, (height + 1, width + 1, 3)
    )
    grey = dice.integers(-60, 60, (height + 1, width + 1, 1)) + dice.integers(
        -60, 60, (height + 1, width + 1, 1)
    )
    raw = raw + grey
    # Neighbours share part of their noise, as after demosaicing.
    mixed = 5 * raw[:-1, :-1] + 2 * raw[1:, :-1] + 2 * raw[:-1, 1:]
    scale = sigma / 401.0  # the standard deviation of `mixed` is about 401
    levels = picture * 255.0 + mixed.astype(np.float32) * scale
    return np.floor(np.clip(levels + 0.5, 0.0, 255.0)).astype(np.uint8)
