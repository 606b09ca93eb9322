"""Persons, riders, bicycles and motorcycles."""

from dataclasses import dataclass

from benchmark.datasets.miniscapes.canvas import Billboard, Colour, Dice, Surface

PERSON, RIDER, MOTORCYCLE, BICYCLE = 24, 25, 32, 33

_CLOTHES: list[Colour] = [
    (0.09, 0.09, 0.10),
    (0.12, 0.13, 0.18),
    (0.16, 0.17, 0.20),
    (0.20, 0.25, 0.38),
    (0.30, 0.28, 0.26),
    (0.45, 0.42, 0.38),
    (0.55, 0.12, 0.12),
    (0.72, 0.70, 0.66),
    (0.20, 0.32, 0.22),
    (0.62, 0.48, 0.22),
    (0.36, 0.18, 0.26),
    (0.25, 0.42, 0.55),
]
_TROUSERS: list[Colour] = [
    (0.09, 0.09, 0.11),
    (0.13, 0.15, 0.22),
    (0.18, 0.22, 0.33),
    (0.30, 0.28, 0.25),
    (0.42, 0.38, 0.30),
]
_SKIN: list[Colour] = [
    (0.72, 0.54, 0.44),
    (0.62, 0.44, 0.35),
    (0.42, 0.28, 0.21),
    (0.78, 0.60, 0.50),
]
_HAIR: list[Colour] = [
    (0.08, 0.06, 0.05),
    (0.20, 0.13, 0.08),
    (0.42, 0.32, 0.18),
    (0.5, 0.49, 0.47),
]
_METAL = Surface((0.30, 0.30, 0.31), 0.4)
_RUBBER = Surface((0.08, 0.08, 0.08), 0.3)


@dataclass(frozen=True)
class Outfit:
    """A person's looks."""

    top: Surface
    bottom: Surface
    skin: Surface
    hair: Surface
    shoes: Surface
    build: float  # width of the body, 1 is usual


def random_outfit(dice: Dice, dark: bool = False) -> Outfit:
    """Random clothes; `dark` clothes are hard to see before dark walls."""
    top = dice.pick(_CLOTHES[:3]) if dark else dice.pick(_CLOTHES)
    bottom = _TROUSERS[0] if dark else dice.pick(_TROUSERS)
    return Outfit(
        Surface(dice.colour(top, 0.2), 0.25, 1.2, 0.8, "folds"),
        Surface(dice.colour(bottom, 0.2), 0.25, 1.1, 0.85, "folds"),
        Surface(dice.colour(dice.pick(_SKIN), 0.12), 0.12, 1.1, 0.85),
        Surface(dice.colour(dice.pick(_HAIR), 0.2), 0.3),
        Surface(dice.colour((0.14, 0.12, 0.11), 0.5), 0.2),
        dice.uniform(0.88, 1.2),
    )


def draw_person(board: Billboard, dice: Dice, dark: bool = False) -> None:
    """A person who stands or walks; drawn for a height of 1.75 m on the board's scale."""
    outfit = random_outfit(dice, dark)
    stride = dice.pick([0.05, 0.08, 0.18, 0.28, 0.34])
    sideways = dice.chance(0.55)  # seen from the side rather than from the front or the back
    width = outfit.build * (0.72 if sideways else 1.0)
    skirt = dice.chance(0.15)
    far_arm, near_arm = (0.14, -0.14) if sideways else (0.25 * width, -0.25 * width)
    _leg(board, outfit, stride if sideways else 0.10, stride * 0.3, outfit.bottom.lit(0.8), skirt)
    _arm(board, outfit, 0.0 if sideways else 0.2 * width, far_arm + stride * 0.4, dice)
    _leg(board, outfit, -stride * 0.9 if sideways else -0.10, 0.0, outfit.bottom, skirt)
    _torso(board, outfit, width, skirt, dice)
    _arm(board, outfit, 0.0 if sideways else -0.2 * width, near_arm - stride * 0.3, dice)
    _head(board, outfit, 0.04 if sideways else 0.0, dice)
    _luggage(board, width, dice)


def _leg(
    board: Billboard, outfit: Outfit, foot: float, lift: float, cloth: Surface, bare: bool
) -> None:
    knee = (foot * 0.45 + 0.03, 0.48)
    board.limb((foot * 0.2, 0.88), knee, (0.095, 0.07), cloth)
    board.limb(knee, (foot, 0.08 + lift * 0.4), (0.065, 0.05), outfit.skin if bare else cloth)
    board.limb(
        (foot, 0.05 + lift * 0.4), (foot + 0.12, 0.045 + lift * 0.3), (0.05, 0.04), outfit.shoes
    )


def _arm(board: Billboard, outfit: Outfit, shoulder: float, hand: float, dice: Dice) -> None:
    elbow = (shoulder + (hand - shoulder) * 0.45 - 0.02, 1.13)
    height = dice.pick([0.85, 0.88, 0.95, 1.2])
    sleeve = outfit.top.lit(dice.uniform(0.75, 1.05))
    board.limb((shoulder, 1.40), elbow, (0.06, 0.052), sleeve)
    board.limb(elbow, (hand, height), (0.05, 0.042), sleeve)
    board.disc((hand, height - 0.03), (0.045, 0.055), outfit.skin)


def _torso(board: Billboard, outfit: Outfit, width: float, skirt: bool, dice: Dice) -> None:
    shoulder, hip = 0.21 * width, 0.165 * width
    low = dice.pick([0.82, 0.85, 0.62])  # a jacket or a long coat
    board.limb((0.0, 0.92), (0.0, 0.88), (hip, hip), outfit.bottom)
    if skirt:
        board.shape([(-hip, 1.0), (hip, 1.0), (hip * 1.5, 0.55), (-hip * 1.5, 0.55)], outfit.bottom)
    corners = [(-shoulder, 1.40), (-shoulder * 0.6, 1.49), (shoulder * 0.6, 1.49), (shoulder, 1.40)]
    corners += [(hip * 1.1, low), (-hip * 1.1, low)]
    board.shape(corners, outfit.top)
    board.shape(
        [(0.0, 1.45), (shoulder, 1.40), (hip * 1.1, low), (hip * 0.3, low)], outfit.top.lit(0.78)
    )


def _head(board: Billboard, outfit: Outfit, forward: float, dice: Dice) -> None:
    board.limb((0.0, 1.45), (forward, 1.56), (0.055, 0.05), outfit.skin.lit(0.8))
    board.disc((forward, 1.625), (0.085, 0.115), outfit.skin)
    look = dice.pick(["front", "back", "hat", "long"])
    if look == "back":
        board.disc((forward, 1.64), (0.09, 0.11), outfit.hair)
        return
    board.disc((forward - 0.01, 1.685), (0.09, 0.065), outfit.top if look == "hat" else outfit.hair)
    if look == "long":
        board.limb((forward - 0.06, 1.68), (forward - 0.075, 1.45), (0.045, 0.04), outfit.hair)


def _luggage(board: Billboard, width: float, dice: Dice) -> None:
    cloth = Surface(dice.colour(dice.pick(_CLOTHES), 0.3), 0.3)
    kind = dice.integer(0, 5)
    side = dice.pick([-1.0, 1.0])
    if kind == 0:  # a rucksack
        board.disc((side * 0.16 * width, 1.22), (0.13, 0.22), cloth)
    elif kind == 1:  # a shopping bag
        x = side * 0.28 * width
        board.box(x - 0.13, 0.45, x + 0.13, 0.8, cloth)
        board.limb((x, 0.8), (x, 0.9), (0.02, 0.02), cloth)
    elif kind == 2:  # a shoulder bag and its strap
        board.limb((-side * 0.15, 1.42), (side * 0.2, 0.98), (0.02, 0.02), cloth)
        board.box(side * 0.2 - 0.12, 0.8, side * 0.2 + 0.12, 1.02, cloth)


def draw_bicycle(board: Billboard, dice: Dice) -> None:
    """A bicycle, 1.75 m long before foreshortening; its label covers the wheels' discs."""
    paint = Surface(dice.colour(dice.pick([*_CLOTHES, (0.7, 0.7, 0.7)]), 0.3), 0.35)
    for hub in (-0.52, 0.52):
        _spoked_wheel(board, hub, 0.34)
    rear, front, pedals = (-0.52, 0.34), (0.52, 0.34), (-0.05, 0.30)
    saddle, head = (-0.2, 0.85), (0.36, 0.86)
    for start, end in (
        (rear, pedals),
        (pedals, saddle),
        (rear, saddle),
        (pedals, head),
        ((-0.16, 0.72), head),
        (head, front),
        (head, (0.33, 1.02)),
    ):
        board.limb(start, end, (0.026, 0.026), paint)
    board.limb((-0.30, 0.92), (-0.10, 0.92), (0.055, 0.03), _RUBBER)
    board.limb((0.22, 1.06), (0.38, 1.03), (0.025, 0.025), _RUBBER)
    board.limb((-0.12, 0.18), (0.02, 0.42), (0.03, 0.03), _METAL)
    board.limb((-0.75, 0.62), (-0.45, 0.70), (0.025, 0.025), _METAL)
    if dice.chance(0.3):
        board.box(0.38, 0.82, 0.68, 1.08, Surface((0.36, 0.28, 0.18), 0.5))  # a basket


def _spoked_wheel(board: Billboard, hub: float, radius: float) -> None:
    wide = max(radius * abs(board.squeeze), 0.05)
    centre = board.at(hub, radius)
    if board.object_id is not None:
        board.canvas.mark(centre, (wide * board.scale, radius * board.scale), board.object_id)
    # The rim is a chain of short pieces: eight points of a circle, from literals.
    unit = [
        (1.0, 0.0),
        (0.707, 0.707),
        (0.0, 1.0),
        (-0.707, 0.707),
        (-1.0, 0.0),
        (-0.707, -0.707),
        (0.0, -1.0),
        (0.707, -0.707),
    ]
    middle = [
        (0.924, 0.383),
        (0.383, 0.924),
        (-0.383, 0.924),
        (-0.924, 0.383),
        (-0.924, -0.383),
        (-0.383, -0.924),
        (0.383, -0.924),
        (0.924, -0.383),
    ]
    ring = [point for pair in zip(unit, middle, strict=True) for point in pair]
    if board.scale < 14.0:
        ring = unit
    points = [(hub + radius * x, radius + radius * y) for x, y in ring]
    for start, end in zip(points, [*points[1:], points[0]], strict=True):
        board.limb(start, end, (0.032, 0.032), _RUBBER)
    if board.scale > 18.0:
        for start, end in zip(points[:8:2], points[8::2], strict=True):
            board.limb(start, end, (0.007, 0.007), _METAL)


def draw_motorcycle(board: Billboard, dice: Dice) -> None:
    """A motorcycle or a scooter, 1.9 m long before foreshortening."""
    paint = Surface(dice.colour(dice.pick([*_CLOTHES, (0.6, 0.08, 0.06)]), 0.3), 0.35, 1.4, 0.7)
    wide = max(0.30 * abs(board.squeeze), 0.09)
    for hub in (-0.62, 0.62):
        board.disc((hub, 0.31), (wide, 0.31), _RUBBER)
        board.disc((hub, 0.31), (wide * 0.55, 0.17), _METAL)
    board.limb((0.62, 0.31), (0.42, 0.95), (0.045, 0.04), _METAL)
    board.limb((-0.62, 0.33), (-0.1, 0.45), (0.06, 0.09), _METAL)
    board.shape(
        [(-0.35, 0.25), (0.28, 0.25), (0.35, 0.6), (-0.3, 0.6)], Surface((0.18, 0.18, 0.19), 0.6)
    )
    board.limb((-0.75, 0.40), (-0.2, 0.30), (0.055, 0.045), _METAL)
    board.shape([(-0.1, 0.6), (0.40, 0.62), (0.36, 0.92), (0.05, 0.95)], paint)
    board.shape([(-0.80, 0.62), (-0.1, 0.58), (-0.05, 0.72), (-0.78, 0.78)], paint.lit(0.8))
    board.limb((-0.65, 0.80), (-0.02, 0.76), (0.07, 0.07), _RUBBER)
    board.limb((0.28, 1.06), (0.46, 1.0), (0.03, 0.03), _RUBBER)
    board.disc((0.50, 0.85), (0.10, 0.12), Surface((0.82, 0.82, 0.76), 0.4))
    board.disc((-0.80, 0.70), (0.05, 0.05), Surface((0.6, 0.05, 0.05), 0.3))
    board.box(-0.86, 0.45, -0.72, 0.6, Surface((0.75, 0.75, 0.7), 0.2))


def draw_rider(board: Billboard, dice: Dice, motor: bool) -> None:
    """Someone on a bicycle or, with `motor`, a motorcycle at the same foot point."""
    outfit = random_outfit(dice)
    seat = 0.80 if motor else 0.90
    shoulder, hand = (0.10, seat + 0.56), (0.34, 1.04)
    hip = (-0.22, seat + 0.06)
    foot = (-0.05, 0.34) if motor else (dice.uniform(-0.12, 0.1), dice.uniform(0.15, 0.35))
    knee = (0.22, seat - 0.25)
    narrow = abs(board.squeeze) < 0.55  # seen from the front or the back: both legs show
    broad = 0.19 if narrow else 0.15
    spread = 0.12 / abs(board.squeeze) if narrow else 0.0
    far_knee, far_foot = (
        (knee[0] - 0.08 - spread, knee[1] + 0.06),
        (foot[0] - spread, foot[1] + 0.2),
    )
    knee, foot = (knee[0] + spread, knee[1]), (foot[0] + spread, foot[1])
    board.limb(hip, far_knee, (0.10, 0.08), outfit.bottom.lit(0.75))
    board.limb(far_knee, far_foot, (0.07, 0.05), outfit.bottom.lit(0.75))
    board.limb(hip, shoulder, (broad, broad * 1.1), outfit.top)
    board.limb(hip, knee, (0.105, 0.08), outfit.bottom)
    board.limb(knee, foot, (0.07, 0.05), outfit.bottom)
    board.limb(foot, (foot[0] + 0.13, foot[1] - 0.02), (0.05, 0.04), outfit.shoes)
    elbow = (shoulder[0] + 0.16 + spread * 1.4, shoulder[1] - 0.28)
    hand = (hand[0] + spread, hand[1])
    if narrow:
        far_elbow = (shoulder[0] - spread * 1.6, shoulder[1] - 0.28)
        board.limb(shoulder, far_elbow, (0.07, 0.055), outfit.top.lit(0.75))
        board.limb(far_elbow, (0.2 - spread, hand[1]), (0.055, 0.045), outfit.top.lit(0.75))
    board.limb(shoulder, elbow, (0.07, 0.055), outfit.top.lit(0.85))
    board.limb(elbow, hand, (0.055, 0.045), outfit.top.lit(0.85))
    head = (shoulder[0] + 0.07, shoulder[1] + 0.27)
    board.disc(head, (0.09, 0.12), outfit.skin)
    helmet = motor or dice.chance(0.4)
    cap = Surface(dice.colour(dice.pick(_CLOTHES), 0.3), 0.3, 1.5, 0.7) if helmet else outfit.hair
    board.disc(
        (head[0] - 0.01, head[1] + (0.03 if motor else 0.07)), (0.11, 0.13 if motor else 0.08), cap
    )
    if dice.chance(0.3):
        bag = Surface(dice.colour(dice.pick(_CLOTHES), 0.3), 0.3)
        board.limb((-0.2, seat + 0.22), (-0.08, seat + 0.42), (0.10, 0.10), bag)
