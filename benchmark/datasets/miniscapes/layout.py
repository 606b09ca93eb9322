"""Who is in the street and where: places objects and draws them from far to near."""

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmark.datasets.miniscapes import furniture, people, vehicles
from benchmark.datasets.miniscapes.background import Street
from benchmark.datasets.miniscapes.canvas import Billboard, Canvas, Dice

_GROUP_DEPTH = 62.0  # metres; parked cars beyond are not told apart


@dataclass
class Population:
    """Collects the scene's objects, then draws them."""

    canvas: Canvas
    street: Street
    dice: Dice
    _parts: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: dict[int, int] = field(default_factory=dict)

    def add(self, depth: float, draw: Callable[[], None]) -> None:
        """Remember something to draw; `depth` (metres) is its nearest point's distance."""
        self._parts.append((depth, len(self._parts), draw))

    def new_id(self, label: int) -> int:
        """The next free instance id of a class."""
        number = self._numbers.get(label, 0)
        self._numbers[label] = number + 1
        return label * 1000 + number

    def draw(self) -> None:
        """Draw everything from far to near."""
        for _, _, part in sorted(self._parts, key=lambda entry: (-entry[0], entry[1])):
            part()


def populate(canvas: Canvas, street: Street, dice: Dice) -> None:
    """Fill the street with road users, furniture and distractors."""
    population = Population(canvas, street, dice)
    furniture.draw_cables(canvas, street.wall_left, street.wall_right, dice)
    _add_litter(population)
    _add_traffic(population)
    _add_parked_cars(population)
    _add_sidewalk(population, street.road_left, street.wall_left)
    _add_sidewalk(population, street.road_right, street.wall_right)
    if street.park:
        _add_park(population)
    _add_walkers(population)
    _add_cyclists(population)
    population.draw()


def _add_litter(population: Population) -> None:
    street, dice = population.street, population.dice
    for _ in range(dice.integer(5, 60)):
        x = dice.uniform(street.wall_left, street.wall_right)
        furniture.draw_litter(population.canvas, x, dice.uniform(5.0, 25.0), dice)


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
        "car": (vehicles.CAR, 4.4, 1.8, vehicles.draw_car),
        "truck": (vehicles.TRUCK, 8.5, 2.5, vehicles.draw_truck),
        "bus": (vehicles.BUS, 12.0, 2.5, vehicles.draw_bus),
        "tram": (vehicles.TRAIN, 26.0, 2.4, vehicles.draw_tram),
    }[kind]
    canvas, dice = population.canvas, population.dice
    pose = vehicles.Pose(x, z, *vehicles.heading(slope, direction))
    instance = population.new_id(label) if object_id is None else object_id
    nearest = z - abs(pose.ahead_z) * length / 2

    def draw() -> None:
        vehicles.cast_shadow(canvas, pose, length, width)
        painter(canvas, pose, instance, dice)

    population.add(nearest, draw)


def _add_traffic(population: Population) -> None:
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


def _add_parked_cars(population: Population) -> None:
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
                group = vehicles.CAR if z > _GROUP_DEPTH and kind == "car" else None
                room = 2.0 if kind == "truck" else 0.0
                place = x + dice.uniform(-0.15, 0.15)
                _add_vehicle(
                    population, kind, place, z + room, dice.uniform(-0.02, 0.02), heading, group
                )
                z += 2 * room
            z += dice.uniform(5.2, 6.8)


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


def _add_walkers(population: Population) -> None:
    dice, street = population.dice, population.street
    busy = dice.pick([2, 5, 10, 18, 28])
    for _ in range(dice.integer(busy, busy + 4)):
        left, right = _sidewalk_span(population)
        x = dice.uniform(left, right)
        z = _visible_depth(dice, x, 60.0)
        dark = dice.chance(0.3)
        _add_person(population, x, z, dark)
        if dice.chance(0.25):  # in company
            _add_person(
                population, x + dice.uniform(0.45, 0.75), z + dice.uniform(-0.3, 0.3), False
            )
    if dice.chance(0.35):  # crossing the road
        x, z = dice.uniform(street.road_left, street.road_right), dice.uniform(12.0, 40.0)
        for index in range(dice.integer(1, 3)):
            _add_person(
                population, x + index * dice.uniform(0.7, 1.6), z + dice.uniform(0.0, 2.0), False
            )
    if dice.chance(0.45):
        _add_crowd(population)


def _sidewalk_span(population: Population) -> tuple[float, float]:
    street = population.street
    if population.dice.chance(0.5):
        return street.wall_left + 0.5, street.road_left - 0.5
    return street.road_right + 0.5, street.wall_right - 0.5


def _visible_depth(dice: Dice, x: float, far: float) -> float:
    """A depth (metres), more often near than far, at which X is inside the picture."""
    near = max(9.0, 2.1 * abs(x) + 1.0)
    far = max(far, near + 15.0)
    share = dice.uniform(0.0, 1.0)
    return near + (far - near) * (0.35 * share + 0.65 * share * share)


def _add_person(
    population: Population, x: float, z: float, dark: bool, group: bool = False
) -> None:
    canvas, dice = population.canvas, population.dice
    object_id = people.PERSON if group else population.new_id(people.PERSON)
    size = dice.uniform(0.88, 1.08) if dice.chance(0.9) else dice.uniform(0.6, 0.8)  # a child
    mirror = dice.pick([-1.0, 1.0])

    def draw() -> None:
        # A smaller person is drawn as one further away, with the feet kept on the ground.
        board = SizedBoard(canvas, (x, 0.0, z), object_id, mirror * size, size)
        _foot_shadow(canvas, x, z, 0.42)
        people.draw_person(board, dice, dark)

    population.add(z, draw)


@dataclass(frozen=True)
class SizedBoard(Billboard):
    """A billboard whose figures are drawn smaller or larger than life."""

    size: float = 1.0

    def at(self, across: float, up: float) -> tuple[float, float]:
        """The pixel position of a point, heights scaled by the figure's size."""
        return super().at(across, up * self.size)


def _foot_shadow(canvas: Canvas, x: float, z: float, half: float) -> None:
    scale = canvas.camera.focal / z
    lean = -canvas.light.sun_side * canvas.light.sun * 0.35 * scale
    centre_x, centre_y = canvas.camera.project((x, 0.0, z))
    tall = max(half * 0.25 * scale, 1.2)
    canvas.soft_shadow(
        (centre_x + lean * 0.5, centre_y), (half * scale + abs(lean) * 0.5, tall), 0.6
    )


def _add_crowd(population: Population) -> None:
    """People too far away or too close together to be told apart: a group."""
    dice = population.dice
    left, right = _sidewalk_span(population)
    z = dice.uniform(48.0, 85.0)
    for _ in range(dice.integer(4, 9)):
        _add_person(
            population, dice.uniform(left, right), z + dice.uniform(-2.0, 2.0), False, group=True
        )


def _add_cyclists(population: Population) -> None:
    dice, street = population.dice, population.street
    for _ in range(dice.pick([0, 1, 1, 2, 3, 4])):
        lane = dice.pick([street.road_left + 1.0, street.road_right - 1.0, *street.lanes])
        x = lane + dice.uniform(-1.0, 1.0)
        _add_rider(population, x, _visible_depth(dice, x, 45.0))
    for _ in range(dice.pick([0, 2, 3, 4, 5, 7])):
        left, right = _sidewalk_span(population)
        squeeze = _squeeze(dice)
        x = dice.uniform(left, right)
        _add_bike(population, x, _visible_depth(dice, x, 45.0), squeeze, False)
    if dice.chance(0.3):
        left, right = _sidewalk_span(population)
        x = dice.uniform(left, right)
        _add_bike(population, x, _visible_depth(dice, x, 36.0), _squeeze(dice), True)
    if dice.chance(0.25):
        _add_bicycle_rack(population)


def _squeeze(dice: Dice) -> float:
    """Foreshortening of a two-wheeler's length; the sign is its direction."""
    return dice.pick([-1.0, 1.0]) * dice.pick([0.25, 0.4, 0.6, 0.85, 1.0])


def _add_bike(
    population: Population,
    x: float,
    z: float,
    squeeze: float,
    motor: bool,
    object_id: int | None = None,
) -> None:
    canvas, dice = population.canvas, population.dice
    label = people.MOTORCYCLE if motor else people.BICYCLE
    instance = population.new_id(label) if object_id is None else object_id
    painter = people.draw_motorcycle if motor else people.draw_bicycle

    def draw() -> None:
        _foot_shadow(canvas, x, z, 0.85 * max(abs(squeeze), 0.3))
        painter(Billboard(canvas, (x, 0.0, z), instance, squeeze), dice)

    population.add(z, draw)


def _add_rider(population: Population, x: float, z: float) -> None:
    """A rider on a bicycle or a motorcycle: two instances."""
    canvas, dice = population.canvas, population.dice
    motor = dice.chance(0.2)
    squeeze = _squeeze(dice)
    _add_bike(population, x, z, squeeze, motor)
    rider = population.new_id(people.RIDER)
    slim = squeeze if abs(squeeze) > 0.5 else squeeze * 1.3

    def draw() -> None:
        people.draw_rider(Billboard(canvas, (x, 0.0, z), rider, slim), dice, motor)

    population.add(z, draw)


def _add_bicycle_rack(population: Population) -> None:
    """A row of bicycles so close that they count as one group."""
    dice = population.dice
    left, right = _sidewalk_span(population)
    x = dice.uniform(left, right)
    z = _visible_depth(dice, x, 40.0)
    squeeze = dice.pick([-0.5, 0.5, 0.3])
    for index in range(dice.integer(4, 8)):
        _add_bike(population, x + index * 0.3, z + index * 0.5, squeeze, False, people.BICYCLE)
