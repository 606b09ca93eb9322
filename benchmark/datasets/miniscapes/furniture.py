"""Trees, poles, signs, lights, fences and the things that resemble road users but are none."""

from itertools import pairwise

import numpy as np

from benchmark.datasets.miniscapes import textures
from benchmark.datasets.miniscapes.canvas import (
    NO_BOX,
    Billboard,
    Canvas,
    Colour,
    Dice,
    Point,
    Surface,
    pixel_centres,
    scaled,
)

FENCE, POLE, LIGHT, SIGN, VEGETATION, UNLABELLED, STATIC = 13, 17, 19, 20, 21, 0, 0

_METAL = Surface((0.30, 0.31, 0.31), 0.3, 1.1, 0.9, "streaks")
_BARK = Surface((0.24, 0.20, 0.16), 0.6, 1.1, 0.8, "streaks")
_LEAF_COLOURS: list[Colour] = [
    (0.23, 0.28, 0.15),
    (0.18, 0.23, 0.13),
    (0.28, 0.31, 0.17),
    (0.34, 0.29, 0.16),
    (0.20, 0.25, 0.17),
]


def draw_tree(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A tree with a forked trunk; a bare one now and then."""
    board = Billboard(canvas, (x, 0.0, z), VEGETATION)
    height, radius = dice.uniform(5.0, 10.0), dice.uniform(1.6, 3.0)
    trunk = dice.uniform(0.10, 0.22)
    fork = dice.uniform(1.9, 2.8)
    canvas.soft_shadow(board.at(0.0, 0.0), (board.scale * 0.9, board.scale * 0.2 + 1.0), 0.5)
    board.limb((0.0, -0.02), (dice.uniform(-0.15, 0.15), fork), (trunk * 1.25, trunk), _BARK)
    bare = dice.chance(0.15)
    for _ in range(9 if bare else 5):
        tip = (dice.uniform(-radius, radius) * 0.8, fork + dice.uniform(0.8, height - fork))
        bend = (tip[0] * 0.4, fork + (tip[1] - fork) * 0.5)
        board.limb((0.0, fork - 0.1), bend, (trunk * 0.6, trunk * 0.4), _BARK)
        board.limb(bend, tip, (trunk * 0.4, 0.03), _BARK)
        if bare:
            for _ in range(3):
                twig = (tip[0] + dice.uniform(-0.9, 0.9), tip[1] + dice.uniform(-0.3, 0.9))
                board.limb(bend, twig, (0.04, 0.015), _BARK)
    if bare:
        return
    colour = dice.colour(dice.pick(_LEAF_COLOURS), 0.25)
    for _ in range(dice.integer(5, 8)):
        spread = dice.uniform(0.4, 0.7) * radius
        centre = (dice.uniform(-0.6, 0.6) * radius, dice.uniform(fork + 0.9, height) - spread * 0.3)
        draw_leaves(board, centre, (spread, spread * dice.uniform(0.65, 0.95)), colour, dice)


def draw_leaves(board: Billboard, centre: Point, radii: Point, colour: Colour, dice: Dice) -> None:
    """A clump of leaves with a ragged outline and gaps (centre and radii in metres)."""
    canvas, scale = board.canvas, board.scale
    x_centre, y_centre = board.at(*centre)
    wide, tall = radii[0] * scale, radii[1] * scale
    margin = 1.35
    box = canvas.clip_box(
        x_centre - wide * margin,
        y_centre - tall * margin,
        x_centre + wide * margin,
        y_centre + tall * margin,
    )
    if box == NO_BOX:
        return
    x, y = pixel_centres(box)
    dx, dy = (x - x_centre) / wide, (y - y_centre) / tall
    shape = (y.shape[0], x.shape[1])
    ragged = textures.crop("natural", shape, dice)
    leaf = textures.crop("leaves", shape, dice)
    inside = 1.0 - (dx * dx + dy * dy) + 0.42 * ragged + 0.25 * leaf
    cover = np.clip(inside * 4.0, 0.0, 1.0)
    light = (
        0.95 - 0.35 * np.clip(dy, -1.0, 1.0) + 0.2 * canvas.light.sun * canvas.light.sun_side * dx
    )
    brightness = np.maximum(light * (1.0 + 0.6 * leaf + 0.25 * ragged), 0.12)
    hue = textures.crop("smooth", shape, dice)
    rgb = np.stack(
        [colour[0] * (1.0 + 0.2 * hue), colour[1] + 0.0 * hue, colour[2] * (1.0 - 0.25 * hue)], -1
    )
    canvas.blend(
        box, cover, (rgb * brightness[..., None]).astype(np.float32), board.foot[2], board.object_id
    )


def draw_hedge(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A bush or a piece of hedge."""
    board = Billboard(canvas, (x, 0.0, z), VEGETATION)
    colour = dice.colour(dice.pick(_LEAF_COLOURS), 0.25)
    for _ in range(dice.integer(2, 4)):
        tall = dice.uniform(0.4, 0.8)
        centre = (dice.uniform(-0.8, 0.8), tall * 0.8)
        draw_leaves(board, centre, (dice.uniform(0.5, 1.0), tall), colour, dice)


def draw_lamp_post(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A street lamp whose arm reaches over the road."""
    board = Billboard(canvas, (x, 0.0, z), POLE)
    height = dice.uniform(5.0, 8.0)
    arm = -1.6 if x > 0 else 1.6
    board.limb((0.0, 0.0), (0.0, height), (0.09, 0.055), _METAL)
    board.limb((0.0, 0.0), (0.0, 1.0), (0.13, 0.11), _METAL.lit(0.8))
    board.limb((0.0, height), (arm, height + 0.3), (0.05, 0.04), _METAL)
    board.limb(
        (arm, height + 0.25),
        (arm * 1.3, height + 0.3),
        (0.10, 0.08),
        Surface((0.55, 0.55, 0.52), 0.2),
    )
    if dice.chance(0.4):
        board.box(-0.28, 1.2, 0.28, 2.0, Surface(dice.colour((0.6, 0.5, 0.4), 0.4), 0.3))


def draw_traffic_sign(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A sign on its pole: round, triangular or square."""
    pole = Billboard(canvas, (x, 0.0, z), POLE)
    sign = Billboard(canvas, (x, 0.0, z), SIGN)
    up = dice.uniform(2.0, 2.6)
    pole.limb((0.0, 0.0), (0.0, up + 0.3), (0.035, 0.035), _METAL)
    red, white = Surface((0.70, 0.10, 0.10), 0.15), Surface((0.84, 0.84, 0.82), 0.15)
    blue, yellow = Surface((0.10, 0.25, 0.60), 0.15), Surface((0.85, 0.66, 0.10), 0.15)
    kind = dice.integer(0, 5)
    if kind <= 1:
        sign.disc((0.0, up), (0.32, 0.32), red)
        sign.disc((0.0, up), (0.24, 0.24), white if kind else blue)
        sign.box(
            -0.12, up - 0.06, 0.12, up + 0.06, Surface((0.1, 0.1, 0.1), 0.2) if kind else white
        )
    elif kind == 2:
        sign.shape([(-0.40, up - 0.3), (0.40, up - 0.3), (0.0, up + 0.42)], red)
        sign.shape([(-0.25, up - 0.21), (0.25, up - 0.21), (0.0, up + 0.25)], white)
    elif kind == 3:
        sign.shape([(-0.36, up), (0.0, up - 0.36), (0.36, up), (0.0, up + 0.36)], white)
        sign.shape([(-0.25, up), (0.0, up - 0.25), (0.25, up), (0.0, up + 0.25)], yellow)
    elif kind == 4:
        sign.box(-0.30, up - 0.30, 0.30, up + 0.30, blue)
        sign.limb((0.0, up - 0.15), (0.0, up + 0.1), (0.05, 0.05), white)  # a figure on a sign
        sign.disc((0.0, up + 0.18), (0.05, 0.05), white)
    else:
        sign.box(-0.7, up - 0.3, 0.7, up + 0.35, blue)
        for line in range(3):
            sign.box(-0.55, up - 0.2 + line * 0.18, 0.3, up - 0.11 + line * 0.18, white)


def draw_traffic_light(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A traffic light."""
    pole = Billboard(canvas, (x, 0.0, z), POLE)
    light = Billboard(canvas, (x, 0.0, z), LIGHT)
    pole.limb((0.0, 0.0), (0.0, 3.3), (0.06, 0.05), _METAL)
    light.box(-0.16, 2.3, 0.16, 3.2, Surface((0.09, 0.10, 0.09), 0.3))
    on = dice.integer(0, 2)
    colours = [(0.15, 0.75, 0.40), (0.90, 0.60, 0.10), (0.85, 0.12, 0.10)]
    for index, colour in enumerate(colours):
        glow = colour if index == on else scaled(colour, 0.2)
        light.disc((0.0, 2.45 + index * 0.28), (0.11, 0.11), Surface(glow, 0.2))


def draw_bin(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A dustbin or a pillar about as tall as a child, that is not a person."""
    board = Billboard(canvas, (x, 0.0, z), STATIC)
    colour = dice.pick(
        [(0.25, 0.27, 0.25), (0.15, 0.25, 0.35), (0.45, 0.38, 0.12), (0.30, 0.14, 0.12)]
    )
    surface = Surface(dice.colour(colour, 0.3), 0.35, 1.1, 0.8, "streaks")
    tall, half = dice.uniform(0.8, 1.6), dice.uniform(0.18, 0.4)
    _ground_shadow(board, half * 1.5)
    board.shape([(-half, 0.0), (half, 0.0), (half * 1.1, tall), (-half * 1.1, tall)], surface)
    board.shape(
        [(half * 0.2, 0.0), (half, 0.0), (half * 1.1, tall), (half * 0.2, tall)], surface.lit(0.75)
    )
    if dice.chance(0.5):
        board.disc((0.0, tall), (half * 1.1, 0.15), surface.lit(0.7))


def draw_statue_post(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A parking meter or a bollard with a head: a person's proportions without one."""
    board = Billboard(canvas, (x, 0.0, z), POLE)
    surface = Surface(dice.colour((0.25, 0.26, 0.28), 0.4), 0.3, 1.1, 0.8, "streaks")
    _ground_shadow(board, 0.2)
    board.box(-0.14, 0.0, 0.14, 1.2, surface)
    board.box(-0.18, 1.15, 0.18, 1.6, surface.lit(1.3))
    board.box(-0.09, 1.32, 0.09, 1.5, Surface((0.5, 0.55, 0.5), 0.4))


def draw_phone_box(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A phone box, a kiosk or a poster column."""
    board = Billboard(canvas, (x, 0.0, z), STATIC)
    half, tall = dice.uniform(0.45, 0.9), dice.uniform(2.2, 2.8)
    paint = Surface(
        dice.colour(dice.pick([(0.55, 0.12, 0.25), (0.2, 0.3, 0.25), (0.5, 0.5, 0.48)]), 0.3), 0.25
    )
    _ground_shadow(board, half * 1.4)
    board.box(-half, 0.0, half, tall, paint)
    board.box(-half * 0.85, 0.5, half * 0.85, tall - 0.35, Surface((0.25, 0.28, 0.30), 0.8))
    if dice.chance(0.6):  # a poster with a figure
        tint = (dice.uniform(0.2, 0.9), dice.uniform(0.2, 0.8), dice.uniform(0.2, 0.8))
        board.box(-half * 0.8, 0.55, half * 0.8, tall - 0.4, Surface(tint, 0.3))
        board.limb(
            (0.0, 0.7), (0.0, 1.3), (0.14, 0.2), Surface(dice.colour((0.3, 0.2, 0.3), 0.5), 0.4)
        )
        board.disc((0.0, 1.65), (0.12, 0.16), Surface((0.62, 0.46, 0.38), 0.2))
    board.limb((-half, tall), (half, tall), (0.08, 0.08), paint.lit(0.6))


def draw_skip(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A builder's skip or a covered stall: a car's size, but no car."""
    board = Billboard(canvas, (x, 0.0, z), STATIC)
    colour = dice.pick([(0.55, 0.45, 0.15), (0.20, 0.30, 0.42), (0.35, 0.36, 0.34)])
    surface = Surface(dice.colour(colour, 0.3), 0.4, 1.1, 0.75, "streaks")
    _ground_shadow(board, 1.3)
    board.shape([(-0.8, 0.1), (0.8, 0.1), (1.05, 1.2), (-1.05, 1.2)], surface)
    for rib in (-0.5, 0.0, 0.5):
        board.shape(
            [
                (rib - 0.04, 0.1),
                (rib + 0.04, 0.1),
                (rib * 1.2 + 0.04, 1.2),
                (rib * 1.2 - 0.04, 1.2),
            ],
            surface.lit(0.7),
        )
    board.limb((-0.8, 1.22), (0.8, 1.3), (0.12, 0.18), Surface((0.4, 0.37, 0.33), 0.8))


def draw_fence(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """A railing along the kerb, receding from the camera."""
    length = dice.uniform(4.0, 12.0)
    project, step = canvas.camera.project, 0.7
    surface = Surface(
        dice.colour(dice.pick([(0.2, 0.2, 0.2), (0.5, 0.5, 0.5), (0.4, 0.1, 0.08)]), 0.3), 0.3
    )
    posts = int(length / step)
    for post in reversed(range(posts)):
        depth = z + post * step
        radius = 0.02 * canvas.camera.focal / depth
        canvas.capsule(
            project((x, 0.0, depth)),
            project((x, 1.0, depth)),
            (radius, radius),
            surface,
            depth,
            FENCE,
        )
    for up in (0.4, 0.98):
        near, far = project((x, up, z)), project((x, up, z + length))
        scale = 0.025 * canvas.camera.focal
        canvas.capsule(near, far, (scale / z, scale / (z + length)), surface, z, FENCE)


def draw_cables(canvas: Canvas, left: float, right: float, dice: Dice) -> None:
    """Cables over the street, sagging between the houses."""
    dark = Surface((0.14, 0.14, 0.15), 0.2)
    for _ in range(dice.integer(0, 2)):
        z, up = dice.uniform(14.0, 70.0), dice.uniform(5.5, 8.0)
        sag, points = dice.uniform(0.2, 0.8), []
        for index in range(9):
            share = index / 8.0
            drop = sag * 4.0 * share * (1.0 - share)
            points.append(canvas.camera.project((left + share * (right - left), up - drop, z)))
        for start, end in pairwise(points):
            canvas.capsule(start, end, (0.45, 0.45), dark, z, None)


def draw_litter(canvas: Canvas, x: float, z: float, dice: Dice) -> None:
    """Paper, leaves and stains on the ground; they carry no label of their own."""
    px, py = canvas.camera.project((x, 0.0, z))
    scale = canvas.camera.focal / z
    tone = dice.uniform(0.08, 0.6)
    surface = Surface((tone, tone * 0.95, tone * dice.uniform(0.6, 0.9)), 0.25)
    wide = dice.uniform(0.02, 0.09) * scale
    canvas.ellipse((px, py), (wide, max(wide * 0.35, 0.4)), surface, z, None)


def _ground_shadow(board: Billboard, half: float) -> None:
    tall = half * board.canvas.camera.eye_height / board.foot[2] * board.scale
    board.canvas.soft_shadow(board.at(0.0, 0.0), (half * board.scale, max(tall, 1.2)), 0.6)
