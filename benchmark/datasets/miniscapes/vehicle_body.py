"""Bodies of vehicles, built from convex prisms in perspective, and their parts."""

import math
from dataclasses import dataclass

from benchmark.datasets.miniscapes.canvas import Canvas, Colour, Dice, Point, Point3, Surface

CAR, TRUCK, BUS, TRAIN = 26, 27, 28, 31
BUS_PAINTS: list[Colour] = [
    (0.78, 0.62, 0.12),
    (0.62, 0.10, 0.10),
    (0.78, 0.78, 0.76),
    (0.15, 0.30, 0.52),
    (0.2, 0.42, 0.25),
]
GLASS = Surface((0.14, 0.16, 0.18), 0.65, 1.9, 0.7, "gloss")
RUBBER = Surface((0.07, 0.07, 0.07), 0.3)
RIM = Surface((0.36, 0.36, 0.37), 0.4)
PLASTIC = Surface((0.10, 0.10, 0.11), 0.25)
PLATE = Surface((0.80, 0.80, 0.76), 0.12)
RED_LAMP = Surface((0.58, 0.07, 0.06), 0.25, 1.2, 0.8, "gloss")
BRIGHT_LAMP = Surface((0.72, 0.73, 0.72), 0.3, 1.2, 0.8, "gloss")
INDICATOR = Surface((0.80, 0.42, 0.10), 0.2)
AMBER = Surface((0.95, 0.60, 0.12), 0.6)
ProfilePoint = tuple[float, float, float]  # along, up, half width (metres)


@dataclass(frozen=True)
class Pose:
    """Where a vehicle stands and where it points."""

    x: float  # metres
    z: float
    ahead_x: float  # unit vector of its forward direction
    ahead_z: float

    def world(self, along: float, up: float, across: float) -> Point3:
        """A point given in the vehicle's frame: forward, up, right (metres)."""
        return (
            self.x + along * self.ahead_x + across * self.ahead_z,
            up,
            self.z + along * self.ahead_z - across * self.ahead_x,
        )


def heading(slope: float, direction: int) -> Point:
    """Unit vector (x, z) along the street, turned by twice the arc tangent of `slope`."""
    norm = 1.0 + slope * slope
    return 2.0 * slope / norm, direction * (1.0 - slope * slope) / norm


@dataclass(frozen=True)
class Face:
    """A flat quadrilateral of a vehicle: corners rear-bottom, front-bottom, front-top, rear-top."""

    corners: tuple[Point3, Point3, Point3, Point3]
    canvas: Canvas
    depth: float
    object_id: int
    gain: float  # brightness from the light's direction

    def paint(self, surface: Surface) -> None:
        """Paint the whole face."""
        self.patch(0.0, 1.0, 0.0, 1.0, surface)

    def patch(self, left: float, right: float, low: float, high: float, surface: Surface) -> None:
        """Paint a part, in fractions of the face's length and height."""
        spots = ((left, low), (right, low), (right, high), (left, high))
        project = self.canvas.camera.project
        points = [project(self.spot(u, v)) for u, v in spots]
        self.canvas.polygon(points, surface.lit(self.gain), self.depth, self.object_id)

    def spot(self, u: float, v: float) -> Point3:
        """The world point at fractions u (along) and v (up)."""
        (ax, ay, az), (bx, by, bz), (cx, cy, cz), (dx, dy, dz) = self.corners
        a, b, c, d = (1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v
        return (
            a * ax + b * bx + c * cx + d * dx,
            a * ay + b * by + c * cy + d * dy,
            a * az + b * bz + c * cz + d * dz,
        )


@dataclass(frozen=True)
class Body:
    """Draws the parts of one vehicle."""

    canvas: Canvas
    pose: Pose
    object_id: int

    def seen_side(self) -> float:
        """1 if the right-hand side is towards the camera, -1 if the left-hand one is."""
        rightward = -self.pose.x * self.pose.ahead_z + self.pose.z * self.pose.ahead_x
        return 1.0 if rightward > 0 else -1.0

    def sees_front(self) -> bool:
        """Whether the camera sees the front rather than the rear."""
        return self.pose.x * self.pose.ahead_x + self.pose.z * self.pose.ahead_z < 0

    def face(self, points: list[tuple[float, float, float]]) -> Face:
        """A face through four points of the vehicle's frame (along, up, across)."""
        first, second, third, fourth = (self.pose.world(*point) for point in points)
        corners = (first, second, third, fourth)
        gain = self.canvas.light.shade(self._outward(corners))
        return Face(corners, self.canvas, self.pose.z, self.object_id, gain)

    def _outward(self, corners: tuple[Point3, Point3, Point3, Point3]) -> Point3:
        """The unit normal that points to the camera's side of the face."""
        (ax, ay, az), (bx, by, bz), _, (dx, dy, dz) = corners
        ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, dx - ax, dy - ay, dz - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        size = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
        eye = self.canvas.camera.eye_height
        sign = 1.0 if -ax * nx + (eye - ay) * ny - az * nz > 0 else -1.0
        return sign * nx / size, sign * ny / size, sign * nz / size

    def side(
        self,
        rear: Point,
        front: Point,
        top_front: Point,
        top_rear: Point,
        half: float,
        top_half: float,
    ) -> Face:
        """The visible side face through four (along, up) points."""
        sign = self.seen_side()
        return self.face(
            [
                (rear[0], rear[1], sign * half),
                (front[0], front[1], sign * half),
                (top_front[0], top_front[1], sign * top_half),
                (top_rear[0], top_rear[1], sign * top_half),
            ]
        )

    def across(self, low: ProfilePoint, high: ProfilePoint) -> Face:
        """A face over the vehicle's width between two profile points."""
        return self.face(
            [
                (low[0], low[1], -low[2]),
                (low[0], low[1], low[2]),
                (high[0], high[1], high[2]),
                (high[0], high[1], -high[2]),
            ]
        )

    def prism(self, profile: list[ProfilePoint], surface: Surface) -> None:
        """A convex body: strips over the width, then the visible side. Counterclockwise."""
        project = self.canvas.camera.project
        for low, high in zip(profile, [*profile[1:], profile[0]], strict=True):
            if self._strip_visible(low, high):
                self.across(low, high).paint(surface)
        sign = self.seen_side()
        corners = [self.pose.world(p[0], p[1], sign * p[2]) for p in profile]
        normal_x = sign * self.pose.ahead_z
        gain = self.canvas.light.shade((normal_x, 0.0, -sign * self.pose.ahead_x))
        points = [project(c) for c in corners]
        self.canvas.polygon(points, surface.lit(gain), self.pose.z, self.object_id)

    def _strip_visible(self, low: ProfilePoint, high: ProfilePoint) -> bool:
        x, y, z = self.pose.world(low[0], low[1], 0.0)
        along, up = high[1] - low[1], -(high[0] - low[0])  # outward normal of the strip
        nx, nz = along * self.pose.ahead_x, along * self.pose.ahead_z
        return -x * nx + (self.canvas.camera.eye_height - y) * up - z * nz > 0

    def wheel(self, along: float, radius: float, half: float) -> None:
        """A wheel on the visible side."""
        sign = self.seen_side()
        project = self.canvas.camera.project
        rear = project(self.pose.world(along - radius, radius, sign * half))
        front = project(self.pose.world(along + radius, radius, sign * half))
        hub = project(self.pose.world(along, radius, sign * half))
        depth = self.pose.world(along, radius, sign * half)[2]
        tall = radius * self.canvas.camera.focal / max(depth, 0.5)
        wide = max(abs(front[0] - rear[0]) / 2, tall * 0.07)
        paint = self.canvas.ellipse
        paint(hub, (wide * 1.12, tall * 1.12), PLASTIC.lit(0.5), self.pose.z, self.object_id)
        paint((hub[0], hub[1] + tall * 0.06), (wide, tall), RUBBER, self.pose.z, self.object_id)
        paint(hub, (wide * 0.62, tall * 0.62), RIM, self.pose.z, self.object_id)
        paint(hub, (wide * 0.2, tall * 0.2), PLASTIC, self.pose.z, self.object_id)

    def end_tyres(self, along: float, half: float, height: float) -> None:
        """The tyres seen below the bumper at the visible end."""
        for side in (-1.0, 1.0):
            inner, outer = side * (half - 0.24), side * half
            self.face(
                [
                    (along, 0.0, inner),
                    (along, 0.0, outer),
                    (along, height, outer),
                    (along, height, inner),
                ]
            ).paint(RUBBER)


def cast_shadow(canvas: Canvas, pose: Pose, length: float, width: float) -> None:
    """The dark ground beneath and beside a vehicle (metres)."""
    corners = [
        pose.world(along * length / 2, 0.0, across * width / 2)
        for along in (-1.0, 1.0)
        for across in (-1.0, 1.0)
    ]
    points = [canvas.camera.project(corner) for corner in corners]
    left, right = min(p[0] for p in points), max(p[0] for p in points)
    top, bottom = min(p[1] for p in points), max(p[1] for p in points)
    lean = -canvas.light.sun_side * canvas.light.sun * (right - left) * 0.25
    centre = ((left + right) / 2 + lean, (top + bottom) / 2)
    canvas.soft_shadow(centre, ((right - left) * 0.66, (bottom - top) * 0.75 + 1.5), 0.72)


def box_profile(length: float, half: float, bottom: float, top: float) -> list[ProfilePoint]:
    return [
        (-length / 2, bottom, half),
        (length / 2, bottom, half),
        (length / 2, top - 0.2, half),
        (length / 2 - 0.25, top, half * 0.95),
        (-length / 2 + 0.25, top, half * 0.95),
        (-length / 2, top - 0.2, half),
    ]


def window_row(
    side: Face, dice: Dice, left: float, right: float, low: float, high: float, number: int
) -> None:
    pitch = (right - left) / number
    for index in range(number):
        start = left + index * pitch
        side.patch(start + 0.06 * pitch, start + 0.94 * pitch, low, high, GLASS)
        if dice.chance(0.5):  # a passenger's outline behind the glass
            shade = PLASTIC.lit(dice.uniform(0.5, 2.5))
            seat = start + dice.uniform(0.1, 0.6) * pitch
            side.patch(seat, seat + 0.25 * pitch, low, low + (high - low) * 0.6, shade)


def advertise(side: Face, dice: Dice, low: float, high: float) -> None:
    left = dice.uniform(0.1, 0.3)
    right = left + dice.uniform(0.3, 0.5)
    background = (dice.uniform(0.1, 0.9), dice.uniform(0.1, 0.9), dice.uniform(0.1, 0.9))
    side.patch(left, right, low, high, Surface(background, 0.25))
    x = left + 0.02
    letter = Surface(
        (0.92, 0.92, 0.9) if background[0] + background[1] < 1.0 else (0.1, 0.1, 0.12), 0.2
    )
    middle = (low + high) / 2
    while x < right - 0.03:
        side.patch(x, x + 0.012, middle - 0.06, middle + 0.06, letter)
        bar = middle + dice.pick([-0.05, 0.0, 0.04])
        side.patch(x, x + 0.025, bar, bar + 0.02, letter)
        x += 0.035


def end_lamps(end: Face, front: bool, low: float, high: float) -> None:
    lamp = BRIGHT_LAMP if front else RED_LAMP
    end.patch(0.04, 0.18, low, high, lamp)
    end.patch(0.82, 0.96, low, high, lamp)
