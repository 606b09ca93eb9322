"""Facade textures: walls with windows, balconies, shops, signs, stains and graffiti."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmark.datasets.miniscapes import textures
from benchmark.datasets.miniscapes.canvas import Colour, Dice, scaled

TEXELS_PER_METRE = 20
WIDTH = 16.0  # metres; the texture repeats
HEIGHT = 20.0  # metres
LEVELS = 4  # each blurred over twice as many texels as the one before
STYLES = 16

_WALLS: list[tuple[str, Colour]] = [
    ("brick", (0.52, 0.30, 0.23)),
    ("plaster", (0.80, 0.74, 0.60)),
    ("plaster", (0.72, 0.70, 0.66)),
    ("stone", (0.62, 0.57, 0.48)),
    ("brick", (0.62, 0.45, 0.34)),
    ("plaster", (0.78, 0.62, 0.42)),
    ("panel", (0.52, 0.52, 0.50)),
    ("plaster", (0.36, 0.34, 0.33)),
]
_SHOP_COLOURS: list[Colour] = [
    (0.65, 0.12, 0.10),
    (0.12, 0.25, 0.50),
    (0.10, 0.36, 0.20),
    (0.85, 0.68, 0.15),
    (0.80, 0.80, 0.78),
    (0.12, 0.12, 0.13),
]


@dataclass
class Wall:
    """A facade being painted; row 0 of the texture is at the ground."""

    rgb: np.ndarray  # float32, rows x columns x 3
    dice: Dice

    def rect(
        self,
        left: float,
        bottom: float,
        right: float,
        top: float,
        colour: Colour,
        grain: float = 0.15,
        texture: str = "natural",
        opacity: float = 1.0,
    ) -> None:
        """Paint a textured rectangle, in metres."""
        rows = slice(max(int(bottom * TEXELS_PER_METRE), 0), int(top * TEXELS_PER_METRE))
        columns = slice(max(int(left * TEXELS_PER_METRE), 0), int(right * TEXELS_PER_METRE))
        view = self.rgb[rows, columns]
        if view.size == 0:
            return
        grit = textures.crop(texture, (view.shape[0], view.shape[1]), self.dice)
        paint = (1.0 + grain * grit)[..., None] * np.array(colour, np.float32)
        view += opacity * (paint - view)


@cache
def facade(style: int) -> np.ndarray:
    """A style's texture: uint8, LEVELS x rows (upwards) x columns x 3."""
    dice = Dice(5000 + style)
    rows, columns = int(HEIGHT * TEXELS_PER_METRE), int(WIDTH * TEXELS_PER_METRE)
    wall = Wall(np.zeros((rows, columns, 3), np.float32), dice)
    kind, colour = _WALLS[style % len(_WALLS)]
    _paint_wall(wall, kind, dice.colour(colour, 0.2))
    _paint_windows(wall, colour)
    _paint_ground_floor(wall)
    _paint_dirt(wall)
    return _blur_levels(wall.rgb)


def _paint_wall(wall: Wall, kind: str, colour: Colour) -> None:
    rows, columns = wall.rgb.shape[:2]
    wall.rect(0, 0, WIDTH, HEIGHT, colour, 0.2)
    y, x = np.arange(rows)[:, None], np.arange(columns)[None, :]
    if kind == "brick":
        course = y // 3
        joint = (y % 3 == 0) | ((x + (course % 2) * 3) % 6 == 0)
        tone = (course * 7919 + ((x + (course % 2) * 3) // 6) * 104729) % 31
        wall.rgb *= (0.8 + tone.astype(np.float32) * (0.4 / 30.0))[..., None]
        wall.rgb[joint & (y >= 0)] *= np.float32(0.78)
    elif kind in ("stone", "panel"):
        block_height, block_width = (12, 22) if kind == "stone" else (66, 80)
        course = y // block_height
        shifted = x + (course % 2) * (block_width // 2)
        tone = (course * 7919 + (shifted // block_width) * 104729) % 31
        wall.rgb *= (0.85 + tone.astype(np.float32) * (0.3 / 30.0))[..., None]
        wall.rgb[(y % block_height == 0) | (shifted % block_width == 0)] *= np.float32(0.6)


def _paint_windows(wall: Wall, colour: Colour) -> None:
    dice = wall.dice
    bays = dice.pick([4, 5, 6, 7])
    floor_height = dice.uniform(2.9, 3.6)
    share = dice.uniform(0.35, 0.7)  # of a bay's width that is window
    window_height = dice.uniform(1.3, 2.2)
    balconies = dice.chance(0.4)
    frame = dice.pick([(0.85, 0.85, 0.82), (0.3, 0.22, 0.17), (0.25, 0.27, 0.27)])
    pitch = WIDTH / bays
    floor = 0
    while 4.6 + (floor + 0.8) * floor_height < HEIGHT:
        bottom = 4.6 + floor * floor_height
        if dice.chance(0.5):
            trim = scaled(colour, 1.15)
            wall.rect(0, bottom - 0.75, WIDTH, bottom - 0.6, trim, 0.2)
            wall.rect(0, bottom - 0.8, WIDTH, bottom - 0.75, (0.2, 0.19, 0.18), 0.2)
        for bay in range(bays):
            left = (bay + 0.5 - share / 2) * pitch
            _paint_window(wall, left, bottom, left + share * pitch, bottom + window_height, frame)
            if balconies and (bay + floor) % 2 == 0:
                _paint_balcony(wall, left - 0.3, bottom - 0.3, left + share * pitch + 0.3)
        floor += 1


def _paint_window(
    wall: Wall, left: float, bottom: float, right: float, top: float, frame: Colour
) -> None:
    dice = wall.dice
    wall.rect(left - 0.12, bottom - 0.1, right + 0.12, top + 0.12, dice.colour(frame, 0.15), 0.1)
    wall.rect(left - 0.2, bottom - 0.2, right + 0.2, bottom - 0.08, (0.6, 0.58, 0.55), 0.2)
    wall.rect(
        left - 0.2, bottom - 0.35, right + 0.2, bottom - 0.2, (0.3, 0.28, 0.26), 0.2, "natural", 0.6
    )
    glass = dice.pick(
        [(0.12, 0.14, 0.17), (0.22, 0.26, 0.30), (0.42, 0.48, 0.54), (0.10, 0.10, 0.10)]
    )
    wall.rect(left, bottom, right, top, glass, 0.6, "gloss")
    if dice.chance(0.4):
        wall.rect(
            left, bottom, left + (right - left) * 0.3, top, (0.7, 0.68, 0.62), 0.3, "folds", 0.7
        )
        wall.rect(
            right - (right - left) * 0.3, bottom, right, top, (0.7, 0.68, 0.62), 0.3, "folds", 0.7
        )
    if dice.chance(0.3):
        blind = bottom + (top - bottom) * dice.uniform(0.3, 0.8)
        wall.rect(left, blind, right, top, (0.65, 0.63, 0.58), 0.25, "bands")
    wall.rect(left, top - 0.15, right, top, (0.05, 0.05, 0.05), 0.2, "natural", 0.7)
    middle = (left + right) / 2
    wall.rect(middle - 0.05, bottom, middle + 0.05, top, frame, 0.1)
    wall.rect(left, top - 0.6, right, top - 0.52, frame, 0.1)


def _paint_balcony(wall: Wall, left: float, bottom: float, right: float) -> None:
    wall.rect(left, bottom - 0.2, right, bottom, (0.5, 0.49, 0.47), 0.25)
    wall.rect(left, bottom - 0.6, right, bottom - 0.2, (0.15, 0.14, 0.13), 0.3, "natural", 0.5)
    bar = left
    while bar < right:
        wall.rect(bar, bottom, bar + 0.05, bottom + 1.0, (0.13, 0.13, 0.14), 0.2)
        bar += 0.16
    wall.rect(left, bottom + 0.95, right, bottom + 1.05, (0.15, 0.15, 0.16), 0.2)
    if wall.dice.chance(0.5):
        wall.rect(left, bottom + 0.5, right, bottom + 1.15, (0.2, 0.32, 0.12), 0.8, "leaves", 0.8)


def _paint_ground_floor(wall: Wall) -> None:
    dice = wall.dice
    left = 0.0
    while left < WIDTH - 1.0:
        width = min(dice.uniform(2.2, 5.0), WIDTH - left)
        painter = dice.pick(
            [_paint_shop, _paint_shop, _paint_door, _paint_poster_wall, _paint_gate]
        )
        painter(wall, left, left + width)
        left += width


def _paint_shop(wall: Wall, left: float, right: float) -> None:
    dice = wall.dice
    colour = dice.colour(dice.pick(_SHOP_COLOURS), 0.2)
    wall.rect(left + 0.1, 0, right - 0.1, 3.7, dice.colour((0.25, 0.24, 0.23), 0.3), 0.2)
    wall.rect(left + 0.3, 0.5, right - 0.3, 2.7, (0.20, 0.21, 0.22), 0.9)
    for _ in range(14):  # goods and reflections behind the glass
        x, y = dice.uniform(left + 0.3, right - 0.7), dice.uniform(0.5, 2.0)
        goods = (dice.uniform(0.1, 0.9), dice.uniform(0.1, 0.8), dice.uniform(0.1, 0.7))
        wall.rect(
            x,
            y,
            min(x + dice.uniform(0.1, 0.5), right - 0.3),
            y + dice.uniform(0.1, 0.7),
            goods,
            0.4,
            "natural",
            0.6,
        )
    if dice.chance(0.4):
        _paint_figure(wall, dice.uniform(left + 0.5, right - 0.8), 0.4, 0.5)
    wall.rect(left + 0.1, 2.8, right - 0.1, 3.5, colour, 0.2)
    _paint_letters(wall, left + 0.4, 2.95, right - 0.4)
    if dice.chance(0.4):
        wall.rect(
            left, 2.3, right, 3.0, dice.colour(dice.pick(_SHOP_COLOURS), 0.2), 0.35, "streaks"
        )
        wall.rect(left, 2.15, right, 2.3, (0.1, 0.1, 0.1), 0.3, "natural", 0.6)


def _paint_letters(wall: Wall, left: float, bottom: float, right: float) -> None:
    colour = wall.dice.pick([(0.95, 0.93, 0.88), (0.95, 0.85, 0.3), (0.1, 0.1, 0.1)])
    x = left
    while x < right:
        if wall.dice.chance(0.85):
            wall.rect(x, bottom, x + 0.07, bottom + 0.4, colour)
            bar = bottom + wall.dice.pick([0.0, 0.15, 0.33])
            wall.rect(x, bar, x + 0.25, bar + 0.08, colour)
            if wall.dice.chance(0.5):
                wall.rect(x + 0.18, bottom, x + 0.25, bottom + 0.4, colour)
        x += 0.33


def _paint_door(wall: Wall, left: float, right: float) -> None:
    middle = (left + right) / 2
    colour = wall.dice.colour(wall.dice.pick([(0.35, 0.22, 0.13), *_SHOP_COLOURS]), 0.3)
    wall.rect(middle - 0.75, 0, middle + 0.75, 2.9, (0.5, 0.48, 0.45), 0.25)
    wall.rect(middle - 0.6, 0, middle + 0.6, 2.3, colour, 0.35, "streaks")
    wall.rect(middle - 0.45, 1.2, middle + 0.45, 2.1, (0.12, 0.13, 0.14), 0.5)
    wall.rect(middle - 0.6, 2.35, middle + 0.6, 2.75, (0.2, 0.23, 0.26), 0.5)
    wall.rect(left + 0.1, 0, middle - 0.8, 0.6, (0.35, 0.34, 0.32), 0.3)


def _paint_gate(wall: Wall, left: float, right: float) -> None:
    wall.rect(left + 0.2, 0, right - 0.2, 3.0, (0.06, 0.06, 0.06), 0.5)
    if wall.dice.chance(0.6):
        grey = wall.dice.uniform(0.3, 0.6)
        wall.rect(left + 0.2, 0, right - 0.2, 2.7, (grey, grey, grey), 0.45, "bands")
        _paint_graffiti(wall, left + 0.3, right - 0.3)


def _paint_poster_wall(wall: Wall, left: float, right: float) -> None:
    """Posters, some with life-size figures on them that are not persons."""
    dice = wall.dice
    x = left + 0.2
    while x + 1.2 < right:
        paper = (dice.uniform(0.4, 0.9), dice.uniform(0.4, 0.9), dice.uniform(0.3, 0.9))
        wall.rect(x, 0.6, x + 1.1, 2.4, paper, 0.25)
        _paint_figure(wall, x + 0.55, 0.65, dice.uniform(0.8, 1.0))
        _paint_letters(wall, x + 0.1, 2.0, x + 0.9)
        x += 1.3
    if dice.chance(0.7):
        _paint_graffiti(wall, left, right)


def _paint_figure(wall: Wall, x: float, bottom: float, opacity: float) -> None:
    dice = wall.dice
    clothes = dice.colour(dice.pick(_SHOP_COLOURS), 0.4)
    wall.rect(
        x - 0.16,
        bottom,
        x + 0.16,
        bottom + 0.7,
        dice.colour((0.2, 0.2, 0.3), 0.4),
        0.3,
        "folds",
        opacity,
    )
    wall.rect(x - 0.24, bottom + 0.65, x + 0.24, bottom + 1.3, clothes, 0.3, "folds", opacity)
    wall.rect(
        x - 0.1, bottom + 1.3, x + 0.1, bottom + 1.6, (0.7, 0.5, 0.4), 0.2, "natural", opacity
    )


def _paint_graffiti(wall: Wall, left: float, right: float) -> None:
    dice = wall.dice
    colour = (dice.uniform(0, 0.9), dice.uniform(0, 0.9), dice.uniform(0, 0.9))
    x, y = left, dice.uniform(0.7, 1.6)
    while x < right - 0.3:
        step_x, step_y = dice.uniform(0.0, 0.25), dice.uniform(-0.45, 0.45)
        low, high = min(y, y + step_y), max(y, y + step_y)
        wall.rect(x, max(low, 0.2), x + 0.08, high + 0.08, colour, 0.2, "natural", 0.8)
        wall.rect(x, max(high, 0.2), x + step_x + 0.08, high + 0.08, colour, 0.2, "natural", 0.8)
        x, y = x + step_x, min(max(y + step_y, 0.5), 2.2)


def _paint_dirt(wall: Wall) -> None:
    rows, columns = wall.rgb.shape[:2]
    streaks = textures.crop("streaks", (rows, columns), wall.dice)
    wall.rgb *= (1.0 - 0.28 * np.clip(streaks - 0.1, 0.0, 1.0))[..., None]
    height = np.arange(rows, dtype=np.float32)[:, None] * (1.0 / TEXELS_PER_METRE)
    splash = np.clip(1.0 - height, 0.0, 1.0) * 0.45  # the lowest metre is dirtiest
    grit = textures.crop("natural", (rows, columns), wall.dice)
    wall.rgb *= (1.0 - splash * np.clip(0.6 + grit, 0.0, 1.0))[..., None]


def _blur_levels(rgb: np.ndarray) -> np.ndarray:
    level = np.clip(0.15 + 0.6 * rgb, 0.0, 1.0)  # what light the air and the glass scatter
    levels = [level]
    for power in range(LEVELS - 1):
        step = 1 << power
        level = (level + np.roll(level, step, 0)) * 0.5
        level = (level + np.roll(level, step, 1)) * 0.5
        levels.append(level)
    return (np.stack(levels) * 255.0 + 0.5).astype(np.uint8)
