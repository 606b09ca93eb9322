"""The objects of a scene, drawn from far to near."""

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmark.datasets.miniscapes.canvas import Canvas, Dice
from benchmark.datasets.miniscapes.street import Street


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
