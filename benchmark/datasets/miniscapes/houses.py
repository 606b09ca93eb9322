"""The houses along the street and at its end."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmark.datasets.miniscapes import facades, textures
from benchmark.datasets.miniscapes.canvas import (
    NO_BOX,
    Billboard,
    Canvas,
    Colour,
    Surface,
    pixel_centres,
)
from benchmark.datasets.miniscapes.street import (
    BUILDING,
    FAR,
    Street,
)


def draw_street_end(canvas: Canvas, street: Street) -> None:
    """What closes the view: houses across the street's end, or hazy trees."""
    dice = canvas.dice
    left = street.wall_left * 3.0
    while left < street.wall_right * 3.0:
        width = dice.uniform(8.0, 22.0)
        board = Billboard(canvas, (left, 0.0, FAR), BUILDING)
        top = dice.uniform(3.0, 22.0)
        if dice.chance(0.6):
            grey = dice.uniform(0.3, 0.6)
            tint = dice.colour((grey, grey * 0.95, grey * 0.88), 0.15)
            board.box(0.0, 0.0, width, top, Surface(tint, 0.35))
            _window_dots(board, width, top)
        else:
            tree = Billboard(canvas, (left, 0.0, FAR), 21)
            surface = Surface(dice.colour((0.20, 0.27, 0.13), 0.3), 0.5, 1.1, 0.7, "leaves")
            for _ in range(4):
                radius = dice.uniform(2.5, 6.0)
                tree.disc((dice.uniform(0.0, width), radius), (radius * 1.3, radius), surface)
        left += width * dice.uniform(0.7, 1.1)


def _window_dots(board: Billboard, width: float, top: float) -> None:
    dark = Surface((0.16, 0.17, 0.19), 0.3)
    up = 1.5
    while up + 2.0 < top:
        across = 1.0
        while across + 1.5 < width:
            board.box(across, up, across + 1.3, up + 1.7, dark)
            across += 3.0
        up += 3.2


def draw_buildings(canvas: Canvas, street: Street) -> None:
    """Rows of houses on both sides, from far to near."""
    dice = canvas.dice
    for side, line in ((-1.0, -street.wall_left), (1.0, street.wall_right)):
        if side == street.park:
            continue
        ends = [dice.uniform(4.0, 8.0)]
        while ends[-1] < FAR:
            ends.append(ends[-1] + dice.uniform(9.0, 22.0))
        for near, far in reversed(list(pairwise(ends))):
            setback = dice.uniform(0.0, 1.2) if dice.chance(0.6) else dice.uniform(0.0, 5.0)
            if dice.chance(0.1 + 0.35 * street.green * (near > 25.0)):
                far = near + (far - near) * 0.3  # a gap beside a narrow house
            _House(canvas, side, line + setback, near, far).draw()


@dataclass
class _House:
    canvas: Canvas
    side: float  # -1 left, 1 right
    line: float  # distance of the facade from the camera's axis, metres, positive
    near: float  # metres
    far: float

    def draw(self) -> None:
        """The wall towards the camera, the facade along the street and the roof."""
        dice = self.canvas.dice
        style = dice.integer(0, facades.STYLES - 1)
        texture = facades.facade(style)
        height = dice.uniform(6.0, 15.0)
        tint = np.array(dice.colour((0.9, 0.9, 0.9), 0.25), np.float32)
        zoom = dice.uniform(0.85, 1.2)
        shift = dice.uniform(0.0, facades.WIDTH)
        self._draw_facade(texture, tint, height, zoom, shift)
        self._draw_end(texture, tint, height, zoom)
        self._draw_roof(height)

    def _draw_facade(
        self, texture: np.ndarray, tint: np.ndarray, height: float, zoom: float, shift: float
    ) -> None:
        canvas, camera = self.canvas, self.canvas.camera
        inner = camera.centre_x + self.side * camera.focal * self.line / self.far
        outer = camera.centre_x + self.side * camera.focal * self.line / self.near
        top = camera.horizon - (height - camera.eye_height) * camera.focal / self.near
        bottom = camera.horizon + camera.eye_height * camera.focal / self.near
        box = canvas.clip_box(min(inner, outer), top, max(inner, outer), bottom)
        if box == NO_BOX:
            return
        x, y = pixel_centres(box)
        ray = np.maximum((x - camera.centre_x) * self.side, 0.5)
        z = camera.focal * self.line / ray
        up = camera.eye_height + (camera.horizon - y) * (z / camera.focal)
        cover = ((up >= 0.0) & (up <= height) & (z >= self.near) & (z <= self.far)).astype(
            np.float32
        )
        minified = z * z * (facades.TEXELS_PER_METRE / (camera.focal * self.line))
        level = (minified > 2.5).astype(np.int32) + (minified > 6.0) + (minified > 14.0)
        row = np.floor(np.clip(up * zoom, 0.0, facades.HEIGHT - 0.1) * facades.TEXELS_PER_METRE)
        column = np.floor((z * zoom + shift) * facades.TEXELS_PER_METRE).astype(np.int32)
        texels = texture[level, row.astype(np.int32), column % texture.shape[2]]
        gain = canvas.light.shade((-self.side, 0.0, 0.0)) * 1.15
        colour = texels.astype(np.float32) * (tint * (gain / 255.0))
        colour *= (1.0 + 0.15 * textures.crop("natural", cover.shape, canvas.dice))[..., None]
        colour *= np.clip(0.82 + up * 0.04, 0.0, 1.05)[..., None]  # darker near the ground
        haze = (z / (z + canvas.light.haze_distance))[..., None]
        colour += haze * (np.array(canvas.light.haze_colour, np.float32) - colour)
        x0, y0, x1, y1 = box
        view = canvas.rgb[y0:y1, x0:x1]
        view += cover[..., None] * (colour - view)
        canvas.ids[y0:y1, x0:x1][cover > 0.5] = BUILDING

    def _draw_end(self, texture: np.ndarray, tint: np.ndarray, height: float, zoom: float) -> None:
        """The gable wall that faces the camera, seen where the next house is lower."""
        canvas, camera = self.canvas, self.canvas.camera
        scale = camera.focal / self.near
        edge = camera.centre_x + self.side * scale * self.line
        outer = edge + self.side * scale * 14.0
        top = camera.horizon - (height - camera.eye_height) * scale
        bottom = camera.horizon + camera.eye_height * scale
        box = canvas.clip_box(min(edge, outer), top, max(edge, outer), bottom)
        if box == NO_BOX:
            return
        x, y = pixel_centres(box)
        beyond = (x - edge) * self.side
        up = camera.eye_height + (camera.horizon - y) / scale
        cover = np.clip(beyond + 0.5, 0.0, 1.0) * ((up >= 0.0) & (up <= height))
        plain = (canvas.dice.chance(0.5)) * 5.0  # above the shops, or a plain wall's look
        row = np.floor(
            np.clip(up * zoom + plain, 0.0, facades.HEIGHT - 0.1) * facades.TEXELS_PER_METRE
        )
        column = np.floor(np.abs(beyond) * (zoom * facades.TEXELS_PER_METRE / scale)).astype(
            np.int32
        )
        level = 0 if scale > 18.0 else (1 if scale > 9.0 else 2)
        texels = texture[level][row.astype(np.int32), column % texture.shape[2]]
        gain = canvas.light.shade((0.0, 0.0, -1.0)) * 0.95
        colour = texels.astype(np.float32) * (tint * (gain / 255.0))
        colour *= (1.0 + 0.15 * textures.crop("natural", cover.shape, canvas.dice))[..., None]
        canvas.blend(box, cover.astype(np.float32), colour, self.near, BUILDING)

    def _draw_roof(self, height: float) -> None:
        canvas, dice = self.canvas, self.canvas.dice
        project = canvas.camera.project
        wall = self.side * self.line
        eaves = wall - self.side * 0.4
        back = wall + self.side * dice.uniform(1.5, 4.0)
        colour: Colour = dice.pick([(0.42, 0.22, 0.16), (0.25, 0.25, 0.27), (0.33, 0.28, 0.24)])
        tiles = Surface(dice.colour(colour, 0.2), 0.3, 1.0, 0.9, "bands")
        ridge = height + dice.uniform(0.3, 3.0)
        depth = (self.near + self.far) / 2
        slope = [
            (eaves, height, self.near),
            (eaves, height, self.far),
            (back, ridge, self.far),
            (back, ridge, self.near),
        ]
        canvas.polygon([project(p) for p in slope], tiles, depth, BUILDING)
        gutter = [
            (eaves, height, self.near),
            (eaves, height, self.far),
            (wall, height - 0.5, self.far),
            (wall, height - 0.5, self.near),
        ]
        dark = Surface(dice.colour((0.28, 0.26, 0.24), 0.3), 0.25)
        canvas.polygon([project(p) for p in gutter], dark, depth, BUILDING)
        for _ in range(dice.integer(0, 2)):
            board = Billboard(canvas, (back, 0.0, dice.uniform(self.near, self.far)), BUILDING)
            board.box(-0.4, ridge - 1.0, 0.4, ridge + 1.2, Surface((0.35, 0.24, 0.2), 0.3))
