"""Drawing primitives with bit-exact results on every machine.

Only operations with one correct answer are used: elementwise + - * / and sqrt on float32,
comparisons, floor, and integers. Random numbers come from ``RandomState.random_sample`` and
``randint``, whose streams numpy has frozen. Scalars are Python floats throughout, so that old
and new numpy promotion rules agree on float32; they are
added one by one, because ``sum`` of floats rounds differently since Python 3.12.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmark.datasets.miniscapes import textures

Colour = tuple[float, float, float]
Point = tuple[float, float]
Point3 = tuple[float, float, float]
Box = tuple[int, int, int, int]  # left, top, right, bottom; pixels, the last two excluded
Paint = Colour | np.ndarray
Item = TypeVar("Item")

NO_BOX: Box = (0, 0, 0, 0)


class Dice:
    """Random decisions from numpy's frozen generator."""

    def __init__(self, seed: int) -> None:
        self._state = np.random.RandomState(seed)

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * float(self._state.random_sample())

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high], both included."""
        return int(self._state.randint(low, high + 1, dtype=np.int64))

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return float(self._state.random_sample()) < probability

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items, all equally likely."""
        return items[self.integer(0, len(items) - 1)]

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
        """Integers in [low, high], as an int32 array."""
        return self._state.randint(low, high + 1, size=shape, dtype=np.int32)

    def colour(self, colour: Colour, spread: float) -> Colour:
        """The colour, varied in brightness and a little in hue."""
        gain = self.uniform(1.0 - spread, 1.0 + spread)
        red, green, blue = (
            min(max(part * gain * self.uniform(0.94, 1.06), 0.01), 1.0) for part in colour
        )
        return red, green, blue


def scaled(colour: Colour, gain: float) -> Colour:
    """The colour, `gain` times as bright."""
    red, green, blue = colour
    return red * gain, green * gain, blue * gain


@dataclass(frozen=True)
class Camera:
    """A pinhole camera looking along +Z; X to the right, Y up from the ground, in metres."""

    focal: float  # pixels
    centre_x: float  # vanishing point, pixels
    horizon: float  # pixels from the top
    eye_height: float  # metres

    def project(self, point: Point3) -> Point:
        """The pixel position of a world point (metres)."""
        x, y, z = point
        scale = self.focal / max(z, 0.3)
        return self.centre_x + x * scale, self.horizon + (self.eye_height - y) * scale


@dataclass(frozen=True)
class Light:
    """The scene's light."""

    sun_side: float  # -1 (from the left) to 1 (from the right)
    sun: float  # strength of direct light, 0 (overcast) to 1
    haze_colour: Colour
    haze_distance: float  # metres at which half of the colour is haze

    def haze(self, depth: float) -> float:
        """The share of haze in the colour of something `depth` metres away."""
        return depth / (depth + self.haze_distance)

    def shade(self, normal: Point3) -> float:
        """Brightness of a surface with this unit normal."""
        x, y, z = normal
        ambient = 0.72 + 0.22 * y
        direct = max(0.0, x * self.sun_side * 0.7 + y * 0.6 - z * 0.2)
        return ambient + 0.5 * self.sun * direct


@dataclass(frozen=True)
class Surface:
    """How a painted area looks: colour times (gradient plus texture)."""

    colour: Colour
    grain: float = 0.12  # contrast of the texture, 0 to 1
    top: float = 1.05  # brightness at the upper end
    bottom: float = 0.9  # brightness at the lower end
    texture: str = "natural"

    def lit(self, gain: float) -> "Surface":
        """The same surface, `gain` times as bright."""
        return Surface(scaled(self.colour, gain), self.grain, self.top, self.bottom, self.texture)


@dataclass
class Canvas:
    """The picture being drawn and its label map."""

    rgb: np.ndarray  # float32, H x W x 3, 0 to about 1
    ids: np.ndarray  # int32, H x W
    camera: Camera
    light: Light
    dice: Dice

    def clip_box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """The pixel box around an area, with a margin, inside the picture."""
        height, width = self.ids.shape
        x0 = min(max(math.floor(left) - 1, 0), width)
        y0 = min(max(math.floor(top) - 1, 0), height)
        x1 = min(max(math.floor(right) + 2, 0), width)
        y1 = min(max(math.floor(bottom) + 2, 0), height)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else NO_BOX

    def blend(
        self, box: Box, cover: np.ndarray, colour: Paint, depth: float, object_id: int | None
    ) -> None:
        """Lay a colour (a tuple or an h x w x 3 array) over a box, with haze for its depth."""
        x0, y0, x1, y1 = box
        haze = self.light.haze(depth)
        fog = np.array([part * haze for part in self.light.haze_colour], np.float32)
        seen = np.asarray(colour, np.float32) * (1.0 - haze) + fog
        view = self.rgb[y0:y1, x0:x1]
        view += cover[..., None] * (seen - view)
        if object_id is not None:
            self.ids[y0:y1, x0:x1][cover >= 0.5] = object_id

    def fill(
        self, box: Box, cover: np.ndarray, surface: Surface, depth: float, object_id: int | None
    ) -> None:
        """Lay a textured surface over a box."""
        height, width = cover.shape
        rows = np.arange(height, dtype=np.float32)[:, None] * (1.0 / max(height - 1, 1))
        brightness = surface.top + (surface.bottom - surface.top) * rows
        texture = textures.crop(surface.texture, (height, width), self.dice)
        brightness = np.maximum(brightness + surface.grain * texture, 0.05)
        colour = brightness[..., None] * np.array(surface.colour, np.float32)
        self.blend(box, cover, colour, depth, object_id)

    def darken(self, box: Box, cover: np.ndarray, strength: float) -> None:
        """Cast a shadow (strength 0 to 1) without touching the labels."""
        x0, y0, x1, y1 = box
        self.rgb[y0:y1, x0:x1] *= (1.0 - strength * cover)[..., None]

    def polygon(
        self, points: Sequence[Point], surface: Surface, depth: float, object_id: int | None
    ) -> None:
        """A convex polygon, corners in pixels."""
        box = self._box_around(points)
        if box != NO_BOX:
            self.fill(box, convex_cover(box, points), surface, depth, object_id)

    def capsule(
        self,
        start: Point,
        end: Point,
        radii: Point,
        surface: Surface,
        depth: float,
        object_id: int | None,
    ) -> None:
        """A limb from start to end (pixels) with a radius at each end."""
        reach = max(radii)
        box = self.clip_box(
            min(start[0], end[0]) - reach,
            min(start[1], end[1]) - reach,
            max(start[0], end[0]) + reach,
            max(start[1], end[1]) + reach,
        )
        if box != NO_BOX:
            self.fill(box, capsule_cover(box, start, end, radii), surface, depth, object_id)

    def ellipse(
        self, centre: Point, radii: Point, surface: Surface, depth: float, object_id: int | None
    ) -> None:
        """An upright ellipse, in pixels."""
        box = self.clip_box(
            centre[0] - radii[0], centre[1] - radii[1], centre[0] + radii[0], centre[1] + radii[1]
        )
        if box != NO_BOX:
            self.fill(box, ellipse_cover(box, centre, radii), surface, depth, object_id)

    def soft_shadow(self, centre: Point, radii: Point, strength: float) -> None:
        """A shadow that fades towards its elliptic rim, in pixels."""
        box = self.clip_box(
            centre[0] - radii[0], centre[1] - radii[1], centre[0] + radii[0], centre[1] + radii[1]
        )
        if box != NO_BOX:
            x, y = pixel_centres(box)
            dx, dy = (x - centre[0]) / radii[0], (y - centre[1]) / radii[1]
            cover = np.clip(1.6 - 1.6 * (dx * dx + dy * dy), 0.0, 1.0)
            self.darken(box, cover, strength)

    def mark(self, centre: Point, radii: Point, object_id: int) -> None:
        """Give an ellipse (pixels) a label without painting it."""
        box = self.clip_box(
            centre[0] - radii[0], centre[1] - radii[1], centre[0] + radii[0], centre[1] + radii[1]
        )
        if box != NO_BOX:
            x0, y0, x1, y1 = box
            self.ids[y0:y1, x0:x1][ellipse_cover(box, centre, radii) >= 0.5] = object_id

    def _box_around(self, points: Sequence[Point]) -> Box:
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        return self.clip_box(min(xs), min(ys), max(xs), max(ys))


def pixel_centres(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres as a row of x and a column of y."""
    x0, y0, x1, y1 = box
    x = np.arange(x0, x1, dtype=np.float32)[None, :] + 0.5
    y = np.arange(y0, y1, dtype=np.float32)[:, None] + 0.5
    return x, y


def convex_cover(box: Box, points: Sequence[Point]) -> np.ndarray:
    """The share of each pixel inside a convex polygon, about, from its edges' distances."""
    x, y = pixel_centres(box)
    turn = 1.0 if _signed_area(points) > 0 else -1.0
    distance = np.full((y.shape[0], x.shape[1]), -9e3, np.float32)
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        length = math.sqrt((bx - ax) * (bx - ax) + (by - ay) * (by - ay))
        if length < 1e-6:
            continue
        nx, ny = turn * (by - ay) / length, -turn * (bx - ax) / length
        np.maximum(distance, nx * (x - ax) + ny * (y - ay), out=distance)
    return np.clip(0.5 - distance, 0.0, 1.0)


def _signed_area(points: Sequence[Point]) -> float:
    area = 0.0  # no sum(): since Python 3.12 it rounds floats differently
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        area += ax * by - bx * ay
    return area


def capsule_cover(box: Box, start: Point, end: Point, radii: Point) -> np.ndarray:
    """The share of each pixel inside a limb with round ends."""
    x, y = pixel_centres(box)
    ex, ey = end[0] - start[0], end[1] - start[1]
    norm = max(ex * ex + ey * ey, 1e-6)
    along = np.clip((x - start[0]) * (ex / norm) + (y - start[1]) * (ey / norm), 0.0, 1.0)
    dx, dy = x - start[0] - along * ex, y - start[1] - along * ey
    distance = np.sqrt(dx * dx + dy * dy) - (radii[0] + (radii[1] - radii[0]) * along)
    # A limb thinner than a pixel covers less than a whole pixel.
    return np.clip(0.5 - distance, 0.0, min(1.0, 2.2 * max(radii)))


def ellipse_cover(box: Box, centre: Point, radii: Point) -> np.ndarray:
    """The share of each pixel inside an upright ellipse."""
    x, y = pixel_centres(box)
    rx, ry = max(radii[0], 0.3), max(radii[1], 0.3)
    dx, dy = (x - centre[0]) / rx, (y - centre[1]) / ry
    distance = (np.sqrt(dx * dx + dy * dy) - 1.0) * min(rx, ry)
    return np.clip(0.5 - distance, 0.0, 1.0)


@dataclass(frozen=True)
class Billboard:
    """Draws upright flat things in metres around a point on the ground."""

    canvas: Canvas
    foot: Point3  # metres
    object_id: int | None
    squeeze: float = 1.0  # horizontal foreshortening; negative mirrors

    @property
    def scale(self) -> float:
        """Pixels per metre."""
        return self.canvas.camera.focal / self.foot[2]

    def at(self, across: float, up: float) -> Point:
        """The pixel position of a point `across` metres to the right, `up` metres high."""
        x, y = self.canvas.camera.project(self.foot)
        return x + across * self.squeeze * self.scale, y - up * self.scale

    def limb(self, start: Point, end: Point, radii: Point, surface: Surface) -> None:
        """A limb between two points (metres)."""
        pixels = (radii[0] * self.scale, radii[1] * self.scale)
        self.canvas.capsule(
            self.at(*start), self.at(*end), pixels, surface, self.foot[2], self.object_id
        )

    def disc(self, centre: Point, radii: Point, surface: Surface) -> None:
        """An ellipse (metres); its width is not foreshortened."""
        pixels = (radii[0] * self.scale, radii[1] * self.scale)
        self.canvas.ellipse(self.at(*centre), pixels, surface, self.foot[2], self.object_id)

    def shape(self, points: Sequence[Point], surface: Surface) -> None:
        """A convex polygon (metres)."""
        corners = [self.at(*point) for point in points]
        self.canvas.polygon(corners, surface, self.foot[2], self.object_id)

    def box(self, left: float, bottom: float, right: float, top: float, surface: Surface) -> None:
        """An upright rectangle (metres)."""
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
        self.shape(corners, surface)
