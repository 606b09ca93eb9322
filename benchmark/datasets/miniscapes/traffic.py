"""Vehicles in the street: driving, crossing, parked."""

from benchmark.datasets.miniscapes import cars, large_vehicles, vehicle_body
from benchmark.datasets.miniscapes.canvas import Dice
from benchmark.datasets.miniscapes.population import Population

_GROUP_DEPTH = 62.0  # metres; parked cars beyond are not told apart


def _add_vehicle(
    population: Population,
    kind: str,
    x: float,
    z: float,
    slope: float,
    direction: int,
    object_id: int | None = None,
) -> None:
    """A vehicle centred at (x, z) metres, along the street but for a slope."""
    label, length, width, painter = {
        "car": (vehicle_body.CAR, 4.4, 1.8, cars.draw_car),
        "truck": (vehicle_body.TRUCK, 8.5, 2.5, large_vehicles.draw_truck),
        "bus": (vehicle_body.BUS, 12.0, 2.5, large_vehicles.draw_bus),
        "tram": (vehicle_body.TRAIN, 26.0, 2.4, large_vehicles.draw_tram),
    }[kind]
    canvas, dice = population.canvas, population.dice
    pose = vehicle_body.Pose(x, z, *vehicle_body.heading(slope, direction))
    instance = population.new_id(label) if object_id is None else object_id
    nearest = z - abs(pose.ahead_z) * length / 2

    def draw() -> None:
        vehicle_body.cast_shadow(canvas, pose, length, width)
        painter(canvas, pose, instance, dice)

    population.add(nearest, draw)


def add_traffic(population: Population) -> None:
    street, dice = population.street, population.dice
    density = dice.uniform(0.1, 0.75)
    if street.tram and dice.chance(0.85):
        z = dice.uniform(22.0, 42.0)
        _add_vehicle(population, "tram", street.lanes[0], z, 0.0, dice.pick([-1, -1, 1]))
    for index, (lane, direction) in enumerate(zip(street.lanes, street.directions, strict=True)):
        z = dice.uniform(10.0, 24.0)
        while z < 90.0:
            tram_lane = street.tram and index == 0
            if dice.chance(density) and not tram_lane:
                kind = _traffic_kind(dice)
                room = {"car": 0.0, "truck": 4.5, "bus": 6.5}[kind]
                offset = dice.uniform(-0.35, 0.35)
                slope = dice.uniform(-0.03, 0.03) if dice.chance(0.8) else dice.uniform(-0.2, 0.2)
                _add_vehicle(population, kind, lane + offset, z + room, slope, direction)
                z += 2 * room
            z += dice.uniform(7.5, 20.0)
    if dice.chance(0.3):
        _add_crossing_vehicle(population)


def _traffic_kind(dice: Dice) -> str:
    roll = dice.uniform(0.0, 1.0)
    if roll < 0.03:
        return "truck"
    return "bus" if roll < 0.09 else "car"


def _add_crossing_vehicle(population: Population) -> None:
    """A vehicle seen from the side, turning into or crossing the street."""
    dice, street = population.dice, population.street
    z = dice.uniform(16.0, 55.0)
    x = dice.uniform(street.road_left, street.road_right)
    kind = dice.pick(["car"] * 8 + ["truck", "bus"])
    slope = dice.pick([-1.0, 1.0]) * dice.uniform(0.55, 1.0)
    _add_vehicle(population, kind, x, z, slope, dice.pick([-1, 1]))


def add_parked_cars(population: Population) -> None:
    street, dice = population.street, population.dice
    rows = (
        (street.parking_left, street.road_left + 1.1, -1),
        (street.parking_right, street.road_right - 1.1, 1),
    )
    for parked, x, direction in rows:
        if not parked:
            continue
        occupied = dice.uniform(0.3, 0.9)
        z = dice.uniform(7.0, 12.0)
        while z < 95.0:
            if dice.chance(occupied):
                heading = direction if dice.chance(0.85) else -direction
                kind = "truck" if dice.chance(0.02) else "car"
                group = vehicle_body.CAR if z > _GROUP_DEPTH and kind == "car" else None
                room = 2.0 if kind == "truck" else 0.0
                place = x + dice.uniform(-0.15, 0.15)
                _add_vehicle(
                    population, kind, place, z + room, dice.uniform(-0.02, 0.02), heading, group
                )
                z += 2 * room
            z += dice.uniform(5.2, 6.8)
