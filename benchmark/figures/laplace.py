"""Figure III of the poster: what masking does to one element of a latent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmark.codec import Explanation
from benchmark.figures.style import COLOURS, ONE_COLUMN

_BEFORE, _AFTER = COLOURS[1], COLOURS[0]
_SAMPLES = 801
_SMALLEST_SCALE = 0.1
_SMALLEST_REACH = 1.6
_MASKED_PARTLY = (0.25, 0.9)


@dataclass(frozen=True)
class Element:
    """An element of a latent: the values of `Explanation` at one position."""

    position: tuple[int, int, int]
    alpha: float
    latent: float
    mean: float
    scale: float
    masked: float
    bits_before: float
    bits_after: float


def choose_element(explanation: Explanation) -> Element:
    """An element that masking saves many bits, and that shows how.

    Its latent is drawn a part of the way, not all of it, and the peak is wide enough to be seen;
    where there is no such element, it is the one that saves the most bits.
    """
    alpha, scale = explanation.alpha, explanation.scale
    assert alpha is not None
    saved = explanation.bits_before - explanation.bits_after
    low, high = _MASKED_PARTLY
    clear = (alpha > low) & (alpha < high) & (scale > _SMALLEST_SCALE)
    best = np.argmax(np.where(clear, saved, saved - saved.max() + saved.min() - 1))
    channel, row, column = (int(i) for i in np.unravel_index(best, saved.shape))
    position = channel, row, column
    return Element(
        position,
        float(alpha[position]),
        float(explanation.latent[position]),
        float(explanation.mean[position]),
        float(scale[position]),
        float(explanation.masked[position]),
        float(explanation.bits_before[position]),
        float(explanation.bits_after[position]),
    )


def draw_laplace(element: Element, title: str) -> Figure:
    """The density that the decoder expects, y and y' in it, and the bits that each costs."""
    figure = Figure(figsize=(ONE_COLUMN, 3.1), layout="constrained")
    density, bits = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    values = _values(element)
    _draw_density(density, element, values)
    _draw_bits(bits, element, values)
    density.set_title(title, loc="left")
    return figure


def _values(element: Element) -> NDArray[np.float64]:
    """A range with the peak on one side and y on the other, and some room."""
    reach = max(abs(element.latent - element.mean), 4 * element.scale, _SMALLEST_REACH)
    sign = 1 if element.latent >= element.mean else -1
    values = element.mean + sign * np.linspace(-0.6 * reach, 1.45 * reach, _SAMPLES)
    return np.sort(np.append(values, element.mean))


def _draw_density(axes: Axes, element: Element, values: NDArray[np.float64]) -> None:
    mean, scale = element.mean, element.scale
    peak = 1 / (2 * scale)
    axes.plot(values, np.exp(-np.abs(values - mean) / scale) * peak, color="0.25")
    for value, colour, height in (
        (element.latent, _BEFORE, 0.48),
        (element.masked, _AFTER, 0.48),
        (mean, "0.25", 1.0),
    ):
        axes.vlines(value, 0, height * peak, color=colour, lw=1, linestyles="--")
    axes.annotate(
        "",
        (element.masked, 0.3 * peak),
        xytext=(element.latent, 0.3 * peak),
        arrowprops={"arrowstyle": "->", "color": _AFTER, "lw": 1, "shrinkA": 0, "shrinkB": 0},
    )
    lines = [
        (f"$y$ = {element.latent:.2f}", _BEFORE),
        (f"$y'$ = {element.masked:.2f}", _AFTER),
        (rf"$\alpha$ = {element.alpha:.2f}", _AFTER),
        (rf"$\mu$ = {mean:.2f}", "0.25"),
        (f"$b$ = {scale:.2f}", "0.25"),
    ]
    _write(axes, lines, right=element.latent >= mean)
    axes.set_ylim(0, 1.08 * peak)
    axes.set_ylabel("density $p_y(y)$")


def _draw_bits(axes: Axes, element: Element, values: NDArray[np.float64]) -> None:
    """The cost of coding a value, and the two that it comes to: of the rounded y and y'."""
    steps = np.arange(np.ceil(values[0]), np.floor(values[-1]) + 1)
    cost = -np.log2(np.maximum(_mass(element, steps), 1e-10))
    axes.step(steps, cost, where="mid", color="0.6", lw=0.8)
    lines = []
    for value, its_bits, name, colour in (
        (element.latent, element.bits_before, r"\hat{y}", _BEFORE),
        (element.masked, element.bits_after, r"\hat{y}'", _AFTER),
    ):
        axes.plot(round(value), its_bits, "o", color=colour, clip_on=False, zorder=3)
        lines.append((f"${name}$ = {round(value)}: {abs(its_bits):.1f} bit", colour))
    _write(axes, lines, right=element.latent < element.mean)
    axes.set_ylim(0, 1.35 * max(cost.max(), element.bits_before))
    axes.set_xlim(values[0], values[-1])
    axes.set_ylabel("bits")
    axes.set_xlabel("latent element $y$")


def _write(axes: Axes, lines: Sequence[tuple[str, str]], right: bool) -> None:
    """Texts and their colours, one below the other in an upper corner, where no curve is."""
    for number, (text, colour) in enumerate(lines):
        axes.annotate(
            text,
            (float(right), 1),
            xycoords="axes fraction",
            xytext=(-2 if right else 4, -2 - 11 * number),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            color=colour,
        )


def _mass(element: Element, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the Laplace distribution in [value - 1/2, value + 1/2]."""
    ends = (values[None] + [[0.5], [-0.5]] - element.mean) / element.scale
    tails = np.exp(-np.abs(ends)) / 2
    upper, lower = np.where(ends > 0, 1 - tails, tails)
    return upper - lower
