"""The ground of the street: asphalt, sidewalks, verges, markings, shadows."""

from dataclasses import dataclass

import numpy as np

from benchmark.datasets.miniscapes import textures
from benchmark.datasets.miniscapes.canvas import (
    Canvas,
    Dice,
    pixel_centres,
)
from benchmark.datasets.miniscapes.street import (
    ROAD,
    SIDEWALK,
    TERRAIN,
    Street,
)


def draw_ground(canvas: Canvas, street: Street) -> None:
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
