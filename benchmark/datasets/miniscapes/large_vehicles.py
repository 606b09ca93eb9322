"""Buses, trams and trucks."""

from collections.abc import Callable

from benchmark.datasets.miniscapes.canvas import Canvas, Colour, Dice, Point, Surface
from benchmark.datasets.miniscapes.vehicle_body import (
    AMBER,
    BRIGHT_LAMP,
    BUS_PAINTS,
    GLASS,
    PLASTIC,
    PLATE,
    RED_LAMP,
    Body,
    Pose,
    advertise,
    box_profile,
    end_lamps,
    window_row,
)

_CARGO_PAINTS: list[Colour] = [
    (0.78, 0.78, 0.76),
    (0.55, 0.55, 0.54),
    (0.20, 0.30, 0.45),
    (0.60, 0.20, 0.14),
    (0.30, 0.36, 0.28),
    (0.70, 0.55, 0.20),
]


def draw_bus(canvas: Canvas, pose: Pose, object_id: int, dice: Dice) -> None:
    """A city bus."""
    body = Body(canvas, pose, object_id)
    paint = Surface(dice.colour(dice.pick(BUS_PAINTS), 0.15), 0.2, 1.15, 0.8, "gloss")
    length, half, height = dice.uniform(10.0, 12.5), 1.27, dice.uniform(2.95, 3.15)
    body.prism(box_profile(length, half, 0.3, height), paint)
    side = body.side(
        (-length / 2, 0.3),
        (length / 2, 0.3),
        (length / 2, height),
        (-length / 2, height),
        half,
        half,
    )
    side.patch(0.0, 1.0, 0.0, 0.1, PLASTIC)
    if dice.chance(0.6):
        advertise(side, dice, 0.12, 0.38)
    side.patch(0.02, 0.98, 0.42, 0.82, PLASTIC)
    window_row(side, dice, 0.03, 0.97, 0.44, 0.80, 8)
    for door in (0.12, 0.5, 0.85):
        side.patch(door, door + 0.09, 0.05, 0.82, PLASTIC)
        side.patch(door + 0.01, door + 0.04, 0.1, 0.8, GLASS)
        side.patch(door + 0.05, door + 0.08, 0.1, 0.8, GLASS)
    front = body.sees_front()
    along = (0.5 if front else -0.5) * length
    end = body.across((along, 0.3, half), (along, height, half))
    body.end_tyres(along * 0.97, half * 0.95, 0.35)
    end.patch(0.05, 0.95, 0.38 if front else 0.5, 0.82, GLASS)
    if front:
        end.patch(0.49, 0.51, 0.38, 0.82, PLASTIC)
    end.patch(0.12, 0.88, 0.85, 0.95, PLASTIC)
    end.patch(0.2, 0.75, 0.87, 0.93, AMBER)
    end_lamps(end, front, 0.14, 0.26)
    end.patch(0.38, 0.62, 0.08, 0.14, PLATE)
    end.patch(0.0, 1.0, 0.0, 0.06, PLASTIC)
    for along in (-0.28 * length, 0.32 * length):
        body.wheel(along, 0.48, half)


def draw_tram(canvas: Canvas, pose: Pose, object_id: int, dice: Dice) -> None:
    """A tram of several jointed sections, with a pantograph."""
    body = Body(canvas, pose, object_id)
    paint = Surface(dice.colour(dice.pick(BUS_PAINTS), 0.15), 0.2, 1.15, 0.8, "gloss")
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
    side.patch(0.0, 1.0, 0.0, 0.09, PLASTIC.lit(0.7))
    side.patch(0.0, 1.0, 0.84, 1.0, trim)
    side.patch(0.0, 1.0, 0.40, 0.82, PLASTIC)
    window_row(side, dice, 0.02, 0.98, 0.42, 0.80, 16)
    for joint in (0.33, 0.66):
        side.patch(
            joint, joint + 0.025, 0.02, 0.98, Surface((0.09, 0.09, 0.09), 0.6, 1.0, 1.0, "streaks")
        )
    for door in (0.1, 0.45, 0.55, 0.85):
        side.patch(door, door + 0.05, 0.06, 0.82, trim)
        side.patch(door + 0.007, door + 0.043, 0.12, 0.78, GLASS)
    front = body.sees_front()
    sign = 1.0 if front else -1.0
    end = body.across(
        (sign * length / 2, 0.9, half * 0.9), (sign * (length / 2 - nose), height, half * 0.92)
    )
    lower = body.across(
        (sign * (length / 2 - 0.3), 0.2, half * 0.9), (sign * length / 2, 0.9, half * 0.9)
    )
    lower.patch(0.0, 1.0, 0.0, 0.35, PLASTIC)
    end.patch(0.06, 0.94, 0.2, 0.78, GLASS)
    end.patch(0.1, 0.9, 0.83, 0.95, PLASTIC)
    end.patch(0.2, 0.8, 0.85, 0.93, AMBER)
    end_lamps(end, front, 0.04, 0.14)
    _pantograph(body, height)


def _pantograph(body: Body, height: float) -> None:
    project = body.canvas.camera.project
    base = project(body.pose.world(-2.0, height, 0.0))
    knee = project(body.pose.world(-0.8, height + 0.8, 0.0))
    head = project(body.pose.world(-1.8, height + 1.5, 0.0))
    bow = [project(body.pose.world(-1.8, height + 1.5, across)) for across in (-0.8, 0.8)]
    for start, end in ((base, knee), (knee, head), (bow[0], bow[1])):
        body.canvas.capsule(start, end, (0.6, 0.6), PLASTIC, body.pose.z, body.object_id)


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
        PLASTIC,
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
        advertise(side, dice, 0.35, 0.8)
    if body.sees_front():
        return
    body.end_tyres(rear + 0.3, half * 0.9, 0.8)
    end = body.across((rear, 0.85, half), (rear, top, half))
    end.patch(0.49, 0.51, 0.0, 1.0, load.lit(0.5))
    end.patch(0.0, 1.0, 0.94, 1.0, load.lit(0.75))
    for bar in (0.2, 0.35, 0.62, 0.77):
        end.patch(bar, bar + 0.02, 0.02, 0.95, load.lit(0.65))
    bumper = body.across((rear, 0.45, half * 0.95), (rear, 0.72, half * 0.95))
    bumper.paint(PLASTIC)
    bumper.patch(0.02, 0.18, 0.2, 0.9, RED_LAMP)
    bumper.patch(0.82, 0.98, 0.2, 0.9, RED_LAMP)
    bumper.patch(0.4, 0.6, 0.2, 0.8, PLATE)


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
    side.patch(0.3, 0.9, 0.48, 0.86, GLASS)
    side.patch(0.25, 0.27, 0.1, 0.9, paint.lit(0.4))
    if not front:
        return
    body.end_tyres(nose - 0.5, half * 0.95, 0.5)
    screen = body.across((nose, 1.4, half), (nose - 0.3, top, half * 0.95))
    screen.patch(0.05, 0.95, 0.08, 0.85, GLASS)
    lower = body.across((nose, 0.4, half), (nose, 1.4, half))
    lower.patch(0.0, 1.0, 0.0, 0.3, PLASTIC)
    lower.patch(0.2, 0.8, 0.45, 0.9, PLASTIC)
    lower.patch(0.03, 0.17, 0.3, 0.5, BRIGHT_LAMP)
    lower.patch(0.83, 0.97, 0.3, 0.5, BRIGHT_LAMP)
    lower.patch(0.4, 0.6, 0.1, 0.25, PLATE)
