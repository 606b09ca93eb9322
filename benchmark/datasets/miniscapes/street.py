"""The street: its cross-section, and the labels of what it is made of."""

from dataclasses import dataclass

from benchmark.datasets.miniscapes.canvas import (
    Dice,
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
