"""The street without its users: sky, ground, buildings."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmark.datasets.miniscapes import facades, textures
from benchmark.datasets.miniscapes.canvas import (
    NO_BOX,
    Billboard,
    Canvas,
    Colour,
    Dice,
    Surface,
    pixel_centres,
)

ROAD, SIDEWALK, BUILDING, WALL, TERRAIN, SKY = 7, 8, 11, 12, 22, 23
FAR = 130.0  # metres; where the street ends


@dataclass(frozen=True)
class Street:
    """The cross-section of the street, metres from the camera (left is negative)."""

    road_left: float
    road_right: float
    walk_left: float  # width of the left sidewalk
    walk_right: float
    lanes: tuple[float, ...]  # X of the lanes' centres
    directions: tuple[int, ...]  # 1: away from the camera, -1: towards it
    parking_left: bool
    parking_right: bool
    tram: bool
    green: float  # share of trees and gaps along the street, 0 to 1
    park: int  # the side without houses: -1 left, 1 right, 0 none

    @property
    def wall_left(self) -> float:
        """X of the building line on the left."""
        return self.road_left - self.walk_left

    @property
    def wall_right(self) -> float:
        """X of the building line on the right."""
        return self.road_right + self.walk_right


def make_street(dice: Dice) -> Street:
    """A random street around the camera's own lane."""
    lane = dice.uniform(3.1, 3.6)
    opposite = dice.pick([1, 1, 2])
    same = dice.pick([1, 1, 2])
    shift = dice.uniform(-0.4, 0.4)
    parking_left, parking_right = dice.chance(0.55), dice.chance(0.6)
    own = dice.integer(0, same - 1)  # lanes of our direction to our right
    lanes = tuple(shift + (i - opposite - (same - 1 - own)) * lane for i in range(opposite + same))
    return Street(
        road_left=lanes[0] - lane / 2 - (2.2 if parking_left else 0.3),
        road_right=lanes[-1] + lane / 2 + (2.2 if parking_right else 0.3),
        walk_left=dice.uniform(2.2, 6.0),
        walk_right=dice.uniform(2.2, 6.0),
        lanes=lanes,
        directions=(-1,) * opposite + (1,) * same,
        parking_left=parking_left,
        parking_right=parking_right,
        tram=dice.chance(0.17),
        green=dice.uniform(0.0, 0.8),
        park=dice.pick([-1, 1, 0, 0, 0, 0, 0, 0]),
    )


def draw_background(canvas: Canvas, street: Street) -> None:
    """Sky, the street's end, ground and buildings; fills the whole picture."""
    _draw_sky(canvas)
    _draw_ground(canvas, street)
    _draw_street_end(canvas, street)
    _draw_buildings(canvas, street)


def _draw_sky(canvas: Canvas) -> None:
    dice = canvas.dice
    height, width = canvas.ids.shape
    horizon = min(int(canvas.camera.horizon) + 2, height)
    y = np.arange(horizon, dtype=np.float32)[:, None] * (1.0 / horizon)
    zenith = np.array(
        dice.pick([(0.42, 0.58, 0.82), (0.62, 0.68, 0.76), (0.72, 0.74, 0.78)]), np.float32
    )
    haze = np.array(canvas.light.haze_colour, np.float32) * 1.1
    clouds = textures.crop("smooth", (horizon, width), dice)
    wisps = textures.crop("bands", (horizon, width), dice)
    cover = np.clip(clouds * 0.6 + wisps * 0.2 + dice.uniform(-0.4, 0.7), 0.0, 1.0)
    sky = zenith + y[..., None] * (haze - zenith) + 0 * clouds[..., None]
    bright = (0.80 + 0.22 * clouds + 0.10 * wisps)[..., None] * np.float32(1.05)
    sky += cover[..., None] * (bright - sky)
    canvas.rgb[:horizon] = sky
    canvas.ids[:horizon] = SKY


def _draw_ground(canvas: Canvas, street: Street) -> None:
    camera, dice = canvas.camera, canvas.dice
    height, width = canvas.ids.shape
    top = min(max(int(camera.horizon) + 1, 0), height - 1)
    x_pixel, y_pixel = pixel_centres((0, top, width, height))
    z = camera.focal * camera.eye_height / np.maximum(y_pixel - camera.horizon, 0.4)
    x = (x_pixel - camera.centre_x) * (z / camera.focal)
    z_full = z + 0.0 * x
    ground = _GroundPainter(x, z, z_full, z / camera.focal, dice)
    colour = ground.road(street)
    labels = np.full(x.shape, ROAD, np.int32)
    on_walk = (x < street.road_left) | (x > street.road_right)
    colour[on_walk] = ground.sidewalk()[on_walk]
    labels[on_walk] = SIDEWALK
    for edge, side in ((street.road_left, -1.0), (street.road_right, 1.0)):
        distance = (x - edge) * side
        colour[(distance > -0.02) & (distance < 0.16)] *= np.float32(1.18)
        colour[(distance > -0.14) & (distance <= -0.02)] *= np.float32(0.62)
    verge_right = street.road_right + street.walk_right * 0.45
    verge_left = street.road_left - street.walk_left * 0.45
    if street.green > 0.45:
        verge = (
            ((x > street.road_right + 0.2) & (x < verge_right))
            if dice.chance(0.5)
            else ((x < street.road_left - 0.2) & (x > verge_left))
        )
        colour[verge] = ground.grass()[verge]
        labels[verge] = TERRAIN
    if street.park:
        lawn = (x > street.wall_right) if street.park > 0 else (x < street.wall_left)
        colour[lawn] = ground.grass()[lawn]
        labels[lawn] = TERRAIN
    colour *= ground.shadows(street, canvas.light.sun_side, canvas.light.sun)[..., None]
    share = (z / (z + canvas.light.haze_distance))[..., None]
    colour += share * (np.array(canvas.light.haze_colour, np.float32) - colour)
    canvas.rgb[top:] = colour
    canvas.ids[top:] = labels


@dataclass
class _GroundPainter:
    x: np.ndarray  # metres, per pixel
    z: np.ndarray  # metres, per row
    z_full: np.ndarray  # metres, per pixel
    metres_per_pixel: np.ndarray  # across, per row
    dice: Dice

    def road(self, street: Street) -> np.ndarray:
        """Asphalt with wear, stains, patches, cracks, markings and puddles."""
        dice = self.dice
        grey = dice.uniform(0.28, 0.46)
        tone = 1.0 + 0.26 * self.grain() + 0.06 * self.world_noise(8.0, 2.5)
        tone += 0.05 * self.world_noise(40.0, 2.0)
        for lane in street.lanes:  # tyres polish two tracks in each lane
            distance = np.abs(np.abs(self.x - lane) - 0.75)
            tone -= 0.09 * np.clip(1.0 - distance * 2.5, 0.0, 1.0)
            tone -= 0.08 * np.clip(1.0 - np.abs(self.x - lane) * 3.0, 0.0, 1.0)  # oil
        for _ in range(dice.integer(2, 7)):
            tone *= 1.0 + self.patch(street) * dice.uniform(-0.3, 0.14)
        for spacing in (21.0, 34.0):
            crack = np.clip(1.0 - np.abs(self.world_noise(spacing, 3.0)) * 45.0, 0.0, 1.0)
            tone -= 0.22 * crack * np.clip(1.6 - self.z * 0.07, 0.0, 1.0)
        for _ in range(dice.integer(0, 3)):
            tone *= 1.0 - 0.5 * self.manhole(street)
        colour = tone[..., None] * np.array([grey, grey * 1.0, grey * 1.03], np.float32)
        if street.tram:
            self._rails(colour, street)
        self._markings(colour, street)
        self._puddles(colour, street)
        return colour

    def sidewalk(self) -> np.ndarray:
        """Slabs with joints."""
        grey = self.dice.uniform(0.40, 0.58)
        slab = self.dice.pick([0.5, 0.8, 1.2])
        tone = 1.0 + 0.24 * self.grain() + 0.08 * self.world_noise(10.0, 5.0)
        column, row = np.floor(self.x / slab), np.floor(self.z / slab)
        tone += (((column * 37.0 + row * 91.0) % 11.0) - 5.0) * 0.018
        in_x, in_z = self.x / slab - column, self.z / slab - row
        width = 0.03 + self.metres_per_pixel * 0.5
        fade = np.clip(1.4 - self.z * 0.05, 0.0, 1.0)
        tone -= 0.3 * fade * ((in_x < width) | (in_z < width * 3.0))
        return tone[..., None] * np.array([grey * 1.02, grey, grey * 0.96], np.float32)

    def grass(self) -> np.ndarray:
        """A verge of grass with bare spots."""
        tone = 1.0 + 0.55 * self.grain() + 0.25 * self.world_noise(12.0, 6.0)
        bare = np.clip(self.world_noise(9.0, 5.0), 0.0, 1.0)[..., None]
        green = np.array([0.26, 0.34, 0.14], np.float32)
        brown = np.array([0.36, 0.30, 0.22], np.float32)
        return tone[..., None] * (green + bare * (brown - green))

    def shadows(self, street: Street, sun_side: float, sun: float) -> np.ndarray:
        """Brightness: shadows of houses on the sun's side and of trees."""
        steps = np.floor(self.z_full / 14.0) * 7.0
        reach = self.dice.uniform(0.0, 10.0) * (0.6 + (steps % 5.0) * 0.16)
        wall = street.wall_right if sun_side > 0 else street.wall_left
        depth = (wall - self.x) if sun_side > 0 else (self.x - wall)
        soft = 0.15 + 2.0 * self.metres_per_pixel
        house = np.clip((reach - depth) / soft + 0.5, 0.0, 1.0)
        dapple = np.clip(self.world_noise(26.0, 14.0) * 4.0 - 0.6, 0.0, 1.0)
        near_trees = np.clip(1.5 - np.abs(depth - reach) * 0.3, 0.0, 1.0)
        shadow = np.maximum(house, dapple * near_trees * min(street.green * 2.0, 1.0))
        return 1.0 + sun * 0.25 - shadow * (0.10 + 0.52 * sun)

    def grain(self) -> np.ndarray:
        """Grit at the scale of pixels, weaker far away where it averages out."""
        texture = textures.crop("grit", (self.x.shape[0], self.x.shape[1]), self.dice)
        streaky = textures.crop("bands", (self.x.shape[0], self.x.shape[1]), self.dice)
        return texture * (0.55 + 2.4 / (self.z * 0.5 + 2.0)) * 0.75 + 0.25 * streaky

    def world_noise(self, across: float, along: float) -> np.ndarray:
        """Noise that lies on the ground; texels per metre in each direction."""
        shift_x, shift_z = self.dice.integer(0, 900), self.dice.integer(0, 500)
        return textures.sample_smooth(
            textures.noise("smooth"), self.z * along + shift_z, self.x * across + shift_x
        )

    def patch(self, street: Street) -> np.ndarray:
        """A mended rectangle, 0 to 1."""
        dice = self.dice
        left = dice.uniform(street.road_left, street.road_right - 1.0)
        near = dice.uniform(5.0, 30.0)
        right, far = left + dice.uniform(0.6, 3.5), near + dice.uniform(1.0, 14.0)
        inside = (self.x > left) & (self.x < right) & (self.z > near) & (self.z < far)
        return inside.astype(np.float32)

    def manhole(self, street: Street) -> np.ndarray:
        """A cast-iron lid, 0 to 1."""
        dice = self.dice
        dx = self.x - dice.uniform(street.road_left + 0.5, street.road_right - 0.5)
        dz = self.z - dice.uniform(6.0, 22.0)
        squared = dx * dx + dz * dz
        rim = (squared < 0.12) & ((squared > 0.08) | (np.floor(dx * 14.0) % 2.0 == 0))
        return rim.astype(np.float32)

    def _markings(self, colour: np.ndarray, street: Street) -> None:
        dice = self.dice
        wear = np.clip(0.75 + 0.7 * self.world_noise(22.0, 9.0), 0.12, 0.95)
        stripes = np.zeros_like(self.x)
        half = 0.07 + 0.35 * self.metres_per_pixel
        dash = dice.pick([6.0, 9.0, 12.0])
        phase = dice.uniform(0.0, dash)
        for index in range(len(street.lanes) - 1):
            middle = (street.lanes[index] + street.lanes[index + 1]) / 2
            line = np.clip((half - np.abs(self.x - middle)) / self.metres_per_pixel + 0.5, 0.0, 1.0)
            solid = street.directions[index] != street.directions[index + 1] and dice.chance(0.3)
            on = 1.0 if solid else ((self.z + phase) % dash < dash * 0.45).astype(np.float32)
            stripes = np.maximum(stripes, line * on)
        for edge, parked in (
            (street.road_left + 2.2, street.parking_left),
            (street.road_right - 2.2, street.parking_right),
        ):
            if parked and dice.chance(0.5):
                line = np.clip(
                    (half - np.abs(self.x - edge)) / self.metres_per_pixel + 0.5, 0.0, 1.0
                )
                stripes = np.maximum(stripes, line)
        if dice.chance(0.4):  # a zebra crossing
            near = dice.uniform(9.0, 30.0)
            bars = (self.x + 50.0) % 1.0 < 0.5
            across = (self.z > near) & (self.z < near + 3.5)
            stripes = np.maximum(stripes, (bars & across).astype(np.float32))
        paint = np.float32(0.78) + 0.1 * self.grain()
        colour += (stripes * wear)[..., None] * (paint[..., None] - colour)

    def _puddles(self, colour: np.ndarray, street: Street) -> None:
        if not self.dice.chance(0.35):
            return
        edge = np.minimum(self.x - street.road_left, street.road_right - self.x)
        wet = np.clip((self.world_noise(20.0, 9.0) - 0.35 - 0.25 * edge) * 8.0, 0.0, 0.75)
        mirror = (
            np.array([0.55, 0.58, 0.62], np.float32)
            * (1.0 + 0.25 * self.world_noise(60.0, 3.0))[..., None]
        )
        colour += wet[..., None] * (mirror - colour)

    def _rails(self, colour: np.ndarray, street: Street) -> None:
        for rail in (-0.72, 0.72):
            distance = np.abs(self.x - street.lanes[0] - rail)
            line = np.clip((0.05 - distance) / self.metres_per_pixel + 0.7, 0.0, 1.0)[..., None]
            colour += line * (np.float32(0.5) - colour) * 0.8
            gap = np.clip((0.05 - np.abs(distance - 0.1)) / self.metres_per_pixel + 0.5, 0.0, 1.0)
            colour *= (1.0 - 0.45 * gap)[..., None]


def _draw_street_end(canvas: Canvas, street: Street) -> None:
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


def _draw_buildings(canvas: Canvas, street: Street) -> None:
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
