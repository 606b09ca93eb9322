"""Cars and vans."""

from dataclasses import dataclass, replace

from benchmark.datasets.miniscapes.canvas import Canvas, Colour, Dice, Surface
from benchmark.datasets.miniscapes.vehicle_body import (
    BRIGHT_LAMP,
    GLASS,
    INDICATOR,
    PLASTIC,
    PLATE,
    RED_LAMP,
    RIM,
    Body,
    Pose,
    ProfilePoint,
)

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
    body.prism([(along, up, half * 0.9) for along, up in under], PLASTIC.lit(0.5))
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
    side.patch(0.0, 1.0, 0.0, 0.12, PLASTIC)
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
    screen.patch(0.06, 0.94, 0.06, 0.90, GLASS)
    for seat in (0.22, 0.62):
        screen.patch(seat, seat + 0.16, 0.12, 0.5, PLASTIC.lit(dice.uniform(0.4, 2.0)))
    side = body.side(rear[:2], front[:2], top_front[:2], top_rear[:2], half * 0.97, half * 0.75)
    closed_van = shape.roof > 1.9 and dice.chance(0.5)
    panes = [(0.78, 0.95)] if closed_van else [(0.06, 0.30), (0.33, 0.60), (0.63, 0.94)]
    for left, right in panes:
        side.patch(left, right, 0.10, 0.86, GLASS)
        if dice.chance(0.4):
            side.patch(left, right, 0.10, 0.3, GLASS.lit(0.4))
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
        end.patch(0.22, 0.78, 0.45, 0.85, PLASTIC)
        end.patch(0.25, 0.75, 0.62, 0.68, RIM)
        end.patch(0.02, 0.21, 0.62, 0.92, BRIGHT_LAMP)
        end.patch(0.79, 0.98, 0.62, 0.92, BRIGHT_LAMP)
        end.patch(0.06, 0.94, 0.04, 0.22, PLASTIC)
        end.patch(0.36, 0.64, 0.26, 0.42, PLATE)
        return
    body.end_tyres(-0.46 * length, half * 0.95, 0.3)
    end = body.across(
        (-0.50 * length, 0.24, half * 0.98), (-0.497 * length, shape.belt - 0.06, half * 0.97)
    )
    end.patch(0.0, 1.0, 0.40, 0.44, paint.lit(0.5))
    end.patch(0.0, 1.0, 0.0, 0.16, PLASTIC)
    tall = dice.pick([0.75, 0.70, 0.55])
    end.patch(0.02, 0.20, tall, 0.98, RED_LAMP)
    end.patch(0.80, 0.98, tall, 0.98, RED_LAMP)
    end.patch(0.34, 0.66, 0.52, 0.70, PLATE)
    if dice.chance(0.3):
        end.patch(0.03, 0.19, 0.86, 0.97, INDICATOR)
