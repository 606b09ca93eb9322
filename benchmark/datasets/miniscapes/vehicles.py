"""Cars, vans, trucks, buses and trams, built from convex prisms in perspective."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmark.datasets.miniscapes.canvas import Canvas, Colour, Dice, Point, Point3, Surface

CAR, TRUCK, BUS, TRAIN = 26, 27, 28, 31

_PAINTS: list[Colour] = [
    (0.10, 0.10, 0.11),
    (0.07, 0.07, 0.08),
    (0.16, 0.17, 0.19),
    (0.33, 0.34, 0.35),
    (0.55, 0.56, 0.57),
    (0.62, 0.63, 0.63),
    (0.80, 0.80, 0.79),
    (0.85, 0.85, 0.84),
    (0.45, 0.08, 0.07),
    (0.10, 0.15, 0.32),
    (0.14, 0.25, 0.38),
    (0.16, 0.24, 0.17),
    (0.45, 0.38, 0.28),
    (0.60, 0.42, 0.10),
]
_BUS_PAINTS: list[Colour] = [
    (0.78, 0.62, 0.12),
    (0.62, 0.10, 0.10),
    (0.78, 0.78, 0.76),
    (0.15, 0.30, 0.52),
    (0.2, 0.42, 0.25),
]
_CARGO_PAINTS: list[Colour] = [
    (0.78, 0.78, 0.76),
    (0.55, 0.55, 0.54),
    (0.20, 0.30, 0.45),
    (0.60, 0.20, 0.14),
    (0.30, 0.36, 0.28),
    (0.70, 0.55, 0.20),
]

_GLASS = Surface((0.14, 0.16, 0.18), 0.65, 1.9, 0.7, "gloss")
_RUBBER = Surface((0.07, 0.07, 0.07), 0.3)
_RIM = Surface((0.36, 0.36, 0.37), 0.4)
_PLASTIC = Surface((0.10, 0.10, 0.11), 0.25)
_PLATE = Surface((0.80, 0.80, 0.76), 0.12)
_RED_LAMP = Surface((0.58, 0.07, 0.06), 0.25, 1.2, 0.8, "gloss")
_BRIGHT_LAMP = Surface((0.72, 0.73, 0.72), 0.3, 1.2, 0.8, "gloss")
_INDICATOR = Surface((0.80, 0.42, 0.10), 0.2)
_AMBER = Surface((0.95, 0.60, 0.12), 0.6)

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
        paint(hub, (wide * 1.12, tall * 1.12), _PLASTIC.lit(0.5), self.pose.z, self.object_id)
        paint((hub[0], hub[1] + tall * 0.06), (wide, tall), _RUBBER, self.pose.z, self.object_id)
        paint(hub, (wide * 0.62, tall * 0.62), _RIM, self.pose.z, self.object_id)
        paint(hub, (wide * 0.2, tall * 0.2), _PLASTIC, self.pose.z, self.object_id)

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
            ).paint(_RUBBER)


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


@dataclass(frozen=True)
class CarShape:
    """Sizes of a car type: metres, and fractions of the length from -0.5 (rear) to 0.5."""

    length: float
    half: float
    belt: float  # height of the windows' lower edge
    roof: float
    bonnet: float  # height of the bonnet's rear edge
    glass_front: float
    roof_front: float
    roof_rear: float
    glass_rear: float


_CARS = [
    CarShape(3.9, 0.84, 0.95, 1.50, 0.93, 0.22, 0.05, -0.36, -0.47),  # hatchback
    CarShape(4.5, 0.88, 0.93, 1.45, 0.90, 0.20, 0.03, -0.20, -0.36),  # sedan
    CarShape(4.7, 0.88, 0.95, 1.48, 0.90, 0.20, 0.04, -0.41, -0.48),  # estate
    CarShape(4.6, 0.93, 1.10, 1.72, 1.06, 0.22, 0.06, -0.38, -0.48),  # sport utility
    CarShape(5.0, 0.97, 1.25, 2.00, 1.15, 0.32, 0.20, -0.46, -0.49),  # van
    CarShape(3.6, 0.82, 0.97, 1.52, 0.95, 0.27, 0.10, -0.38, -0.48),  # small car
]


def draw_car(canvas: Canvas, pose: Pose, object_id: int, dice: Dice) -> None:
    """A car of a random shape and colour."""
    shape = _varied(dice.pick(_CARS), dice)
    body = Body(canvas, pose, object_id)
    # Gloss: the sky in the upper parts, the street in the lower ones.
    paint = Surface(
        dice.colour(dice.pick(_PAINTS), 0.15), dice.uniform(0.10, 0.22), 1.3, 0.72, "gloss"
    )
    length, half = shape.length, shape.half
    under = [
        (-0.46 * length, 0.12),
        (0.46 * length, 0.12),
        (0.48 * length, 0.3),
        (-0.48 * length, 0.3),
    ]
    body.prism([(along, up, half * 0.9) for along, up in under], _PLASTIC.lit(0.5))
    body.prism(_lower_body(shape), paint)
    _car_side(body, shape, paint)
    _car_cabin(body, shape, paint, dice)
    _car_end(body, shape, paint, dice)
    for along in (-0.31 * length, 0.31 * length):
        body.wheel(along, 0.32, half * 0.95)


def _varied(shape: CarShape, dice: Dice) -> CarShape:
    """A model of its own: no two cars have quite the same sizes."""
    return replace(
        shape,
        length=shape.length * dice.uniform(0.93, 1.07),
        half=shape.half * dice.uniform(0.96, 1.04),
        roof=shape.roof * dice.uniform(0.96, 1.05),
        glass_front=shape.glass_front + dice.uniform(-0.03, 0.03),
        roof_front=shape.roof_front + dice.uniform(-0.04, 0.04),
        roof_rear=shape.roof_rear + dice.uniform(-0.02, 0.04),
    )


def _lower_body(shape: CarShape) -> list[ProfilePoint]:
    length, half, belt = shape.length, shape.half, shape.belt
    return [
        (-0.49 * length, 0.22, half * 0.96),
        (0.49 * length, 0.22, half * 0.92),
        (0.50 * length, 0.55, half * 0.95),
        (0.46 * length, shape.bonnet - 0.18, half * 0.97),
        (shape.glass_front * length, shape.bonnet, half),
        (shape.glass_rear * length, belt + 0.02, half),
        (-0.495 * length, belt - 0.08, half * 0.97),
        (-0.50 * length, 0.50, half),
    ]


def _car_side(body: Body, shape: CarShape, paint: Surface) -> None:
    length, half = shape.length, shape.half
    side = body.side(
        (-0.48 * length, 0.25),
        (0.48 * length, 0.25),
        (0.44 * length, shape.bonnet - 0.12),
        (-0.48 * length, shape.belt - 0.06),
        half,
        half,
    )
    side.patch(0.0, 1.0, 0.0, 0.12, _PLASTIC)
    side.patch(0.02, 0.98, 0.55, 0.62, paint.lit(1.35))  # a crease that catches the sky
    side.patch(0.02, 0.98, 0.47, 0.55, paint.lit(0.75))
    for seam in (0.33, 0.52, 0.72):
        side.patch(seam, seam + 0.008, 0.1, 0.98, paint.lit(0.35))
    for handle in (0.37, 0.56):
        side.patch(handle, handle + 0.04, 0.76, 0.82, paint.lit(0.5))


def _car_cabin(body: Body, shape: CarShape, paint: Surface, dice: Dice) -> None:
    length, half = shape.length, shape.half
    belt, roof = shape.belt, shape.roof
    rear = (shape.glass_rear * length, belt, half * 0.96)
    front = (shape.glass_front * length, shape.bonnet - 0.01, half * 0.96)
    top_front = (shape.roof_front * length, roof, half * 0.74)
    top_rear = (shape.roof_rear * length, roof - 0.03, half * 0.74)
    body.prism([rear, front, top_front, top_rear], paint)
    pane = (front, top_front) if body.sees_front() else (rear, top_rear)
    screen = body.across(*pane)
    screen.patch(0.06, 0.94, 0.06, 0.90, _GLASS)
    for seat in (0.22, 0.62):
        screen.patch(seat, seat + 0.16, 0.12, 0.5, _PLASTIC.lit(dice.uniform(0.4, 2.0)))
    side = body.side(rear[:2], front[:2], top_front[:2], top_rear[:2], half * 0.97, half * 0.75)
    closed_van = shape.roof > 1.9 and dice.chance(0.5)
    panes = [(0.78, 0.95)] if closed_van else [(0.06, 0.30), (0.33, 0.60), (0.63, 0.94)]
    for left, right in panes:
        side.patch(left, right, 0.10, 0.86, _GLASS)
        if dice.chance(0.4):
            side.patch(left, right, 0.10, 0.3, _GLASS.lit(0.4))
    mirror = body.face(
        [
            (front[0] - 0.25, belt, body.seen_side() * half),
            (front[0] - 0.25, belt, body.seen_side() * (half + 0.2)),
            (front[0] - 0.25, belt + 0.16, body.seen_side() * (half + 0.2)),
            (front[0] - 0.25, belt + 0.16, body.seen_side() * half),
        ]
    )
    mirror.paint(paint.lit(0.8))


def _car_end(body: Body, shape: CarShape, paint: Surface, dice: Dice) -> None:
    length, half = shape.length, shape.half
    if body.sees_front():
        body.end_tyres(0.45 * length, half * 0.95, 0.3)
        end = body.across(
            (0.498 * length, 0.22, half * 0.93), (0.465 * length, shape.bonnet - 0.16, half * 0.95)
        )
        end.patch(0.22, 0.78, 0.45, 0.85, _PLASTIC)
        end.patch(0.25, 0.75, 0.62, 0.68, _RIM)
        end.patch(0.02, 0.21, 0.62, 0.92, _BRIGHT_LAMP)
        end.patch(0.79, 0.98, 0.62, 0.92, _BRIGHT_LAMP)
        end.patch(0.06, 0.94, 0.04, 0.22, _PLASTIC)
        end.patch(0.36, 0.64, 0.26, 0.42, _PLATE)
        return
    body.end_tyres(-0.46 * length, half * 0.95, 0.3)
    end = body.across(
        (-0.50 * length, 0.24, half * 0.98), (-0.497 * length, shape.belt - 0.06, half * 0.97)
    )
    end.patch(0.0, 1.0, 0.40, 0.44, paint.lit(0.5))
    end.patch(0.0, 1.0, 0.0, 0.16, _PLASTIC)
    tall = dice.pick([0.75, 0.70, 0.55])
    end.patch(0.02, 0.20, tall, 0.98, _RED_LAMP)
    end.patch(0.80, 0.98, tall, 0.98, _RED_LAMP)
    end.patch(0.34, 0.66, 0.52, 0.70, _PLATE)
    if dice.chance(0.3):
        end.patch(0.03, 0.19, 0.86, 0.97, _INDICATOR)


def draw_bus(canvas: Canvas, pose: Pose, object_id: int, dice: Dice) -> None:
    """A city bus."""
    body = Body(canvas, pose, object_id)
    paint = Surface(dice.colour(dice.pick(_BUS_PAINTS), 0.15), 0.2, 1.15, 0.8, "gloss")
    length, half, height = dice.uniform(10.0, 12.5), 1.27, dice.uniform(2.95, 3.15)
    body.prism(_box_profile(length, half, 0.3, height), paint)
    side = body.side(
        (-length / 2, 0.3),
        (length / 2, 0.3),
        (length / 2, height),
        (-length / 2, height),
        half,
        half,
    )
    side.patch(0.0, 1.0, 0.0, 0.1, _PLASTIC)
    if dice.chance(0.6):
        _advertise(side, dice, 0.12, 0.38)
    side.patch(0.02, 0.98, 0.42, 0.82, _PLASTIC)
    _window_row(side, dice, 0.03, 0.97, 0.44, 0.80, 8)
    for door in (0.12, 0.5, 0.85):
        side.patch(door, door + 0.09, 0.05, 0.82, _PLASTIC)
        side.patch(door + 0.01, door + 0.04, 0.1, 0.8, _GLASS)
        side.patch(door + 0.05, door + 0.08, 0.1, 0.8, _GLASS)
    front = body.sees_front()
    along = (0.5 if front else -0.5) * length
    end = body.across((along, 0.3, half), (along, height, half))
    body.end_tyres(along * 0.97, half * 0.95, 0.35)
    end.patch(0.05, 0.95, 0.38 if front else 0.5, 0.82, _GLASS)
    if front:
        end.patch(0.49, 0.51, 0.38, 0.82, _PLASTIC)
    end.patch(0.12, 0.88, 0.85, 0.95, _PLASTIC)
    end.patch(0.2, 0.75, 0.87, 0.93, _AMBER)
    _end_lamps(end, front, 0.14, 0.26)
    end.patch(0.38, 0.62, 0.08, 0.14, _PLATE)
    end.patch(0.0, 1.0, 0.0, 0.06, _PLASTIC)
    for along in (-0.28 * length, 0.32 * length):
        body.wheel(along, 0.48, half)


def draw_tram(canvas: Canvas, pose: Pose, object_id: int, dice: Dice) -> None:
    """A tram of several jointed sections, with a pantograph."""
    body = Body(canvas, pose, object_id)
    paint = Surface(dice.colour(dice.pick(_BUS_PAINTS), 0.15), 0.2, 1.15, 0.8, "gloss")
    trim = Surface(dice.colour((0.8, 0.8, 0.78), 0.1), 0.15, 1.1, 0.85)
    length, half, height = dice.uniform(20.0, 28.0), 1.2, 3.4
    nose = 0.9
    profile = [
        (-length / 2 + 0.3, 0.2, half * 0.9),
        (length / 2 - 0.3, 0.2, half * 0.9),
        (length / 2, 0.9, half * 0.9),
        (length / 2 - nose, height, half * 0.92),
        (-length / 2 + nose, height, half * 0.92),
        (-length / 2, 0.9, half * 0.9),
    ]
    body.prism(profile, paint)
    side = body.side(
        (-length / 2 + 0.5, 0.2),
        (length / 2 - 0.5, 0.2),
        (length / 2 - nose, height),
        (-length / 2 + nose, height),
        half,
        half * 0.97,
    )
    side.patch(0.0, 1.0, 0.0, 0.09, _PLASTIC.lit(0.7))
    side.patch(0.0, 1.0, 0.84, 1.0, trim)
    side.patch(0.0, 1.0, 0.40, 0.82, _PLASTIC)
    _window_row(side, dice, 0.02, 0.98, 0.42, 0.80, 16)
    for joint in (0.33, 0.66):
        side.patch(
            joint, joint + 0.025, 0.02, 0.98, Surface((0.09, 0.09, 0.09), 0.6, 1.0, 1.0, "streaks")
        )
    for door in (0.1, 0.45, 0.55, 0.85):
        side.patch(door, door + 0.05, 0.06, 0.82, trim)
        side.patch(door + 0.007, door + 0.043, 0.12, 0.78, _GLASS)
    front = body.sees_front()
    sign = 1.0 if front else -1.0
    end = body.across(
        (sign * length / 2, 0.9, half * 0.9), (sign * (length / 2 - nose), height, half * 0.92)
    )
    lower = body.across(
        (sign * (length / 2 - 0.3), 0.2, half * 0.9), (sign * length / 2, 0.9, half * 0.9)
    )
    lower.patch(0.0, 1.0, 0.0, 0.35, _PLASTIC)
    end.patch(0.06, 0.94, 0.2, 0.78, _GLASS)
    end.patch(0.1, 0.9, 0.83, 0.95, _PLASTIC)
    end.patch(0.2, 0.8, 0.85, 0.93, _AMBER)
    _end_lamps(end, front, 0.04, 0.14)
    _pantograph(body, height)


def _pantograph(body: Body, height: float) -> None:
    project = body.canvas.camera.project
    base = project(body.pose.world(-2.0, height, 0.0))
    knee = project(body.pose.world(-0.8, height + 0.8, 0.0))
    head = project(body.pose.world(-1.8, height + 1.5, 0.0))
    bow = [project(body.pose.world(-1.8, height + 1.5, across)) for across in (-0.8, 0.8)]
    for start, end in ((base, knee), (knee, head), (bow[0], bow[1])):
        body.canvas.capsule(start, end, (0.6, 0.6), _PLASTIC, body.pose.z, body.object_id)


def draw_truck(canvas: Canvas, pose: Pose, object_id: int, dice: Dice) -> None:
    """A lorry: a cab and a box, a tarpaulin or an open tipper."""
    body = Body(canvas, pose, object_id)
    paint = Surface(dice.colour(dice.pick(_CARGO_PAINTS), 0.2), 0.2, 1.15, 0.8, "gloss")
    length, half = dice.uniform(6.0, 9.5), 1.22
    cab = (length / 2 - 1.9, length / 2)
    cargo_top = dice.pick([2.2, 3.1, 3.4, 3.6])
    load = _cargo_surface(dice)
    front = body.sees_front()
    parts: list[Callable[[], None]] = [
        lambda: _draw_cargo(body, length, cab[0], half, cargo_top, load, dice),
        lambda: _draw_cab(body, cab, half, paint, front),
    ]
    for part in parts if front else reversed(parts):
        part()
    for along in (-0.36 * length, -0.22 * length, 0.36 * length):
        body.wheel(along, 0.48, half)


def _cargo_surface(dice: Dice) -> Surface:
    texture, grain = dice.pick([("natural", 0.15), ("folds", 0.22), ("streaks", 0.25)])
    return Surface(dice.colour(dice.pick(_CARGO_PAINTS), 0.15), grain, 1.1, 0.82, texture)


def _draw_cargo(
    body: Body, length: float, front: float, half: float, top: float, load: Surface, dice: Dice
) -> None:
    rear = -length / 2
    body.prism(
        [
            (rear, 0.45, half * 0.8),
            (front, 0.45, half * 0.8),
            (front, 0.9, half * 0.8),
            (rear, 0.9, half * 0.8),
        ],
        _PLASTIC,
    )
    body.prism(
        [
            (rear, 0.85, half),
            (front - 0.15, 0.85, half),
            (front - 0.15, top, half),
            (rear, top, half),
        ],
        load,
    )
    side = body.side(
        (rear, 0.85), (front - 0.15, 0.85), (front - 0.15, top), (rear, top), half, half
    )
    for rib in range(1, 6):
        side.patch(rib / 6.0, rib / 6.0 + 0.012, 0.0, 1.0, load.lit(0.7))
    if dice.chance(0.5):
        _advertise(side, dice, 0.35, 0.8)
    if body.sees_front():
        return
    body.end_tyres(rear + 0.3, half * 0.9, 0.8)
    end = body.across((rear, 0.85, half), (rear, top, half))
    end.patch(0.49, 0.51, 0.0, 1.0, load.lit(0.5))
    end.patch(0.0, 1.0, 0.94, 1.0, load.lit(0.75))
    for bar in (0.2, 0.35, 0.62, 0.77):
        end.patch(bar, bar + 0.02, 0.02, 0.95, load.lit(0.65))
    bumper = body.across((rear, 0.45, half * 0.95), (rear, 0.72, half * 0.95))
    bumper.paint(_PLASTIC)
    bumper.patch(0.02, 0.18, 0.2, 0.9, _RED_LAMP)
    bumper.patch(0.82, 0.98, 0.2, 0.9, _RED_LAMP)
    bumper.patch(0.4, 0.6, 0.2, 0.8, _PLATE)


def _draw_cab(body: Body, cab: Point, half: float, paint: Surface, front: bool) -> None:
    rear, nose = cab
    top = 2.65
    profile = [
        (rear, 0.4, half),
        (nose, 0.4, half),
        (nose, 1.4, half),
        (nose - 0.3, top, half * 0.95),
        (rear, top, half * 0.95),
    ]
    body.prism(profile, paint)
    side = body.side((rear, 0.4), (nose, 0.4), (nose - 0.3, top), (rear, top), half, half * 0.96)
    side.patch(0.3, 0.9, 0.48, 0.86, _GLASS)
    side.patch(0.25, 0.27, 0.1, 0.9, paint.lit(0.4))
    if not front:
        return
    body.end_tyres(nose - 0.5, half * 0.95, 0.5)
    screen = body.across((nose, 1.4, half), (nose - 0.3, top, half * 0.95))
    screen.patch(0.05, 0.95, 0.08, 0.85, _GLASS)
    lower = body.across((nose, 0.4, half), (nose, 1.4, half))
    lower.patch(0.0, 1.0, 0.0, 0.3, _PLASTIC)
    lower.patch(0.2, 0.8, 0.45, 0.9, _PLASTIC)
    lower.patch(0.03, 0.17, 0.3, 0.5, _BRIGHT_LAMP)
    lower.patch(0.83, 0.97, 0.3, 0.5, _BRIGHT_LAMP)
    lower.patch(0.4, 0.6, 0.1, 0.25, _PLATE)


def _box_profile(length: float, half: float, bottom: float, top: float) -> list[ProfilePoint]:
    return [
        (-length / 2, bottom, half),
        (length / 2, bottom, half),
        (length / 2, top - 0.2, half),
        (length / 2 - 0.25, top, half * 0.95),
        (-length / 2 + 0.25, top, half * 0.95),
        (-length / 2, top - 0.2, half),
    ]


def _window_row(
    side: Face, dice: Dice, left: float, right: float, low: float, high: float, number: int
) -> None:
    pitch = (right - left) / number
    for index in range(number):
        start = left + index * pitch
        side.patch(start + 0.06 * pitch, start + 0.94 * pitch, low, high, _GLASS)
        if dice.chance(0.5):  # a passenger's outline behind the glass
            shade = _PLASTIC.lit(dice.uniform(0.5, 2.5))
            seat = start + dice.uniform(0.1, 0.6) * pitch
            side.patch(seat, seat + 0.25 * pitch, low, low + (high - low) * 0.6, shade)


def _advertise(side: Face, dice: Dice, low: float, high: float) -> None:
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


def _end_lamps(end: Face, front: bool, low: float, high: float) -> None:
    lamp = _BRIGHT_LAMP if front else _RED_LAMP
    end.patch(0.04, 0.18, low, high, lamp)
    end.patch(0.82, 0.96, low, high, lamp)
