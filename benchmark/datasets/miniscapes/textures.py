"""Noise and leaf textures, made once from fixed seeds and shared by all scenes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmark.datasets.miniscapes.canvas import Dice

ATLAS_HEIGHT = 512
ATLAS_WIDTH = 1024
_STEPS = 256  # random grey levels of the noise grids

# Contrast of each octave, by the size of its cells in pixels (height, width).
# Equal contrast in all octaves is the 1/f^2 power spectrum of photographs.
_OCTAVES: dict[str, list[tuple[int, int, float]]] = {
    "natural": [
        (64, 64, 0.4),
        (32, 32, 0.4),
        (16, 16, 0.4),
        (8, 8, 0.32),
        (4, 4, 0.22),
        (2, 2, 0.15),
    ],
    "smooth": [(128, 128, 0.8), (64, 64, 0.7), (32, 32, 0.5), (16, 16, 0.3), (8, 8, 0.15)],
    "grit": [(16, 16, 0.15), (8, 8, 0.2), (4, 4, 0.3), (2, 2, 0.4)],
    "gloss": [(64, 64, 0.6), (32, 32, 0.6), (8, 16, 0.4), (4, 16, 0.3), (2, 4, 0.12)],
    "streaks": [(128, 4, 0.5), (64, 8, 0.6), (32, 2, 0.2), (16, 16, 0.4), (4, 4, 0.15)],
    "bands": [(4, 128, 0.5), (8, 64, 0.6), (16, 32, 0.5), (2, 32, 0.2)],
    "folds": [(16, 4, 0.5), (8, 4, 0.5), (4, 2, 0.25)],
}


def crop(name: str, shape: tuple[int, ...], dice: Dice) -> np.ndarray:
    """A random window of a texture: float32, `shape` = (height, width), about -1 to 1."""
    height, width = shape
    source = leaves() if name == "leaves" else noise(name)
    top = dice.integer(0, ATLAS_HEIGHT - 1)
    left = dice.integer(0, ATLAS_WIDTH - 1)
    if top + height <= ATLAS_HEIGHT and left + width <= ATLAS_WIDTH:
        return source[top : top + height, left : left + width]
    rows = (np.arange(height) + top) % ATLAS_HEIGHT
    columns = (np.arange(width) + left) % ATLAS_WIDTH
    return source[rows[:, None], columns[None, :]]


@cache
def noise(name: str) -> np.ndarray:
    """A periodic texture, float32, ATLAS_HEIGHT x ATLAS_WIDTH, about -1 to 1."""
    state = np.random.RandomState(1000 + sorted(_OCTAVES).index(name))
    total = np.zeros((ATLAS_HEIGHT, ATLAS_WIDTH), np.float32)
    for cell_height, cell_width, contrast in _OCTAVES[name]:
        shape = (ATLAS_HEIGHT // cell_height, ATLAS_WIDTH // cell_width)
        grid = state.randint(0, _STEPS, size=shape, dtype=np.int64).astype(np.float32) / 127.5 - 1.0
        total += contrast * _enlarge(grid, cell_height, cell_width)
    return total


def _enlarge(grid: np.ndarray, cell_height: int, cell_width: int) -> np.ndarray:
    """Interpolate a periodic grid smoothly to cell_height x cell_width pixels per cell."""
    tall = _enlarge_rows(grid, cell_height)
    return np.ascontiguousarray(_enlarge_rows(tall.T, cell_width).T)


def _enlarge_rows(grid: np.ndarray, factor: int) -> np.ndarray:
    step = np.arange(factor, dtype=np.float32) / np.float32(factor)
    weight = (step * step * (3.0 - 2.0 * step))[None, :, None]
    following = np.concatenate([grid[1:], grid[:1]])
    rows = grid[:, None, :] + weight * (following - grid)[:, None, :]
    return rows.reshape(grid.shape[0] * factor, grid.shape[1])


@cache
def leaves() -> np.ndarray:
    """Overlapping leaves of many sizes (a "dead leaves" texture), about -1 to 1."""
    state = np.random.RandomState(77)
    side = 256
    picture = np.zeros((side, side), np.float32)
    for radius, number in ((14, 120), (7, 500), (4, 2200), (3, 2600), (2, 5200)):
        for _ in range(number):
            _stamp_leaf(picture, state, radius)
    for axis in (0, 1):  # a lens sees no leaf sharper than it draws
        picture = 0.5 * picture + 0.25 * (np.roll(picture, 1, axis) + np.roll(picture, -1, axis))
    picture += 0.4 * noise("grit")[:side, :side]
    repeats = (ATLAS_HEIGHT // side, ATLAS_WIDTH // side)
    return np.tile(picture, repeats)


def _stamp_leaf(picture: np.ndarray, state: np.random.RandomState, radius: int) -> None:
    side = picture.shape[0]
    row, column, grey, tilt = (int(v) for v in state.randint(0, 256, size=4, dtype=np.int64))
    offsets = np.arange(-radius, radius + 1)
    dy, dx = offsets[:, None], offsets[None, :]
    slant = dx * 8 + dy * (tilt % 17 - 8)
    inside = slant * slant // 32 + dy * dy <= radius * radius
    rows = (row + offsets[:, None]) % side + 0 * dx
    columns = (column + offsets[None, :]) % side + 0 * dy
    # The upper side of a leaf catches the light.
    shade = (grey - 128) / 128.0 - dy.astype(np.float32) * (0.4 / radius) + 0 * dx
    picture[rows[inside], columns[inside]] = shade[inside].astype(np.float32)


def sample(texture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The periodic texture's nearest texels at float positions (texels)."""
    height, width = texture.shape[:2]
    row_index = np.floor(rows).astype(np.int32) % height
    column_index = np.floor(columns).astype(np.int32) % width
    return texture[row_index, column_index]


def sample_smooth(texture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The periodic texture, interpolated at float positions (texels)."""
    height, width = texture.shape
    row_floor, column_floor = np.floor(rows), np.floor(columns)
    wy, wx = rows - row_floor, columns - column_floor
    top = row_floor.astype(np.int32) % height
    left = column_floor.astype(np.int32) % width
    below, right = (top + 1) % height, (left + 1) % width
    upper = texture[top, left] * (1.0 - wx) + texture[top, right] * wx
    lower = texture[below, left] * (1.0 - wx) + texture[below, right] * wx
    return upper * (1.0 - wy) + lower * wy
