"""People on foot and on two wheels, and where they are."""

from dataclasses import dataclass

from benchmark.datasets.miniscapes import people
from benchmark.datasets.miniscapes.canvas import Billboard, Canvas, Dice
from benchmark.datasets.miniscapes.population import Population


def add_walkers(population: Population) -> None:
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


def add_cyclists(population: Population) -> None:
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
