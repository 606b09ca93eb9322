"""Who and what is in the street: traffic, passers-by, furniture, litter."""

from collections.abc import Callable

from benchmark.datasets.miniscapes import furniture
from benchmark.datasets.miniscapes.canvas import Canvas, Dice
from benchmark.datasets.miniscapes.passers_by import add_cyclists, add_walkers
from benchmark.datasets.miniscapes.population import Population
from benchmark.datasets.miniscapes.street import Street
from benchmark.datasets.miniscapes.traffic import add_parked_cars, add_traffic


def populate(canvas: Canvas, street: Street, dice: Dice) -> None:
    """Fill the street with road users, furniture and distractors."""
    population = Population(canvas, street, dice)
    furniture.draw_cables(canvas, street.wall_left, street.wall_right, dice)
    _add_litter(population)
    add_traffic(population)
    add_parked_cars(population)
    _add_sidewalk(population, street.road_left, street.wall_left)
    _add_sidewalk(population, street.road_right, street.wall_right)
    if street.park:
        _add_park(population)
    add_walkers(population)
    add_cyclists(population)
    population.draw()


def _add_litter(population: Population) -> None:
    street, dice = population.street, population.dice
    for _ in range(dice.integer(5, 60)):
        x = dice.uniform(street.wall_left, street.wall_right)
        furniture.draw_litter(population.canvas, x, dice.uniform(5.0, 25.0), dice)


def _add_sidewalk(population: Population, kerb: float, wall: float) -> None:
    """Furniture and distractors on one sidewalk between kerb and wall (X in metres)."""
    canvas, street, dice = population.canvas, population.street, population.dice
    inward = 1.0 if wall > kerb else -1.0
    edge = kerb + inward * 0.6

    def put(painter: Callable[..., None], x: float, z: float) -> None:
        population.add(z, lambda: painter(canvas, x, z, dice))

    z = dice.uniform(9.0, 16.0)
    while z < 95.0:
        roll = dice.uniform(0.0, 1.0)
        if roll < street.green:
            put(furniture.draw_tree, edge + inward * dice.uniform(0.0, 0.6), z)
        elif roll < street.green + 0.2:
            put(furniture.draw_lamp_post, edge, z)
        z += dice.uniform(6.0, 13.0)
    small = [
        furniture.draw_traffic_sign,
        furniture.draw_traffic_sign,
        furniture.draw_bin,
        furniture.draw_statue_post,
        furniture.draw_phone_box,
        furniture.draw_hedge,
        furniture.draw_hedge,
        furniture.draw_skip,
        furniture.draw_fence,
        furniture.draw_traffic_light,
    ]
    for _ in range(dice.integer(3, 9)):
        painter = dice.pick(small)
        x = edge if dice.chance(0.6) else kerb + (wall - kerb) * dice.uniform(0.3, 0.95)
        put(painter, x, dice.uniform(10.0, 60.0))


def _add_park(population: Population) -> None:
    """Trees, hedges and railings where one side has no houses."""
    canvas, street, dice = population.canvas, population.street, population.dice
    wall = street.wall_right if street.park > 0 else street.wall_left

    def put(painter: Callable[..., None], x: float, z: float) -> None:
        population.add(z, lambda: painter(canvas, x, z, dice))

    for _ in range(dice.integer(14, 24)):
        put(
            furniture.draw_tree,
            wall + street.park * dice.uniform(0.5, 22.0),
            dice.uniform(16.0, 95.0),
        )
    edging = dice.pick([furniture.draw_hedge, furniture.draw_fence])
    z = 9.0
    while z < 70.0:
        put(edging, wall, z)
        z += dice.uniform(1.2, 2.5) if edging is furniture.draw_hedge else 8.0
