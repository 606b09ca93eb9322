"""Figure III of the poster: what masking does to one element of a latent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmark.figures.explanation import Explanation
from benchmark.figures.style import COLOURS, ONE_COLUMN

_BEFORE, _AFTER = COLOURS[1], COLOURS[0]
_SAMPLES = 801
_SMALLEST_SHIFT = 0.75
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

    Its latent is drawn a part of the way, not all of it, and far enough to be seen; where there
    is no such element, it is the one that saves the most bits.
    """
    alpha, scale = explanation.alpha, explanation.scale
    assert alpha is not None
    shift = np.abs(explanation.latent - explanation.masked)
    saved = explanation.bits_before - explanation.bits_after
    low, high = _MASKED_PARTLY
    clear = (alpha > low) & (alpha < high) & (shift > _SMALLEST_SHIFT)
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
    return np.sort(values)


def _draw_density(axes: Axes, element: Element, values: NDArray[np.float64]) -> None:
    mean, scale = element.mean, element.scale
    peak = 1 / (2 * scale)
    axes.plot(values, np.exp(-np.abs(values - mean) / scale) * peak, color="0.25")
    outwards, inwards = ("left", "right") if element.latent >= mean else ("right", "left")
    marks = (
        (element.latent, "$y$", _BEFORE, 0.48, outwards),
        (element.masked, "$y'$", _AFTER, 0.48, inwards),
        (mean, r"$\mu$", "0.25", 1.0, "center"),
    )
    for value, name, colour, height, side in marks:
        axes.vlines(value, 0, height * peak, color=colour, lw=1, linestyles="--")
        axes.annotate(
            f"{name} = {value:.2f}",
            (value, height * peak),
            xytext=(0, 2),
            textcoords="offset points",
            ha=side,
            va="bottom",
            color=colour,
        )
    axes.annotate(
        "",
        (element.masked, 0.3 * peak),
        xytext=(element.latent, 0.3 * peak),
        arrowprops={"arrowstyle": "->", "color": _AFTER, "lw": 1, "shrinkA": 0, "shrinkB": 0},
    )
    axes.annotate(
        rf"$\alpha$ = {element.alpha:.2f}",
        ((element.masked + element.latent) / 2, 0.3 * peak),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color=_AFTER,
    )
    axes.text(
        1, 0.98, rf"$b$ = {scale:.2f}", transform=axes.transAxes, ha="right", va="top", color="0.25"
    )
    axes.set_ylim(0, 1.22 * peak)
    axes.set_ylabel("density $p_y(y)$")


def _draw_bits(axes: Axes, element: Element, values: NDArray[np.float64]) -> None:
    """The cost of coding a value, and the two that it comes to: of the rounded y and y'."""
    steps = np.arange(np.ceil(values[0]), np.floor(values[-1]) + 1)
    cost = -np.log2(np.maximum(_mass(element, steps), 1e-10))
    axes.step(steps, cost, where="mid", color="0.6", lw=0.8)
    sign = 1 if element.latent >= element.mean else -1
    for value, its_bits, name, colour in (
        (element.latent, element.bits_before, r"\hat{y}", _BEFORE),
        (element.masked, element.bits_after, r"\hat{y}'", _AFTER),
    ):
        axes.plot(np.round(value), its_bits, "o", color=colour)
        axes.annotate(
            f"${name}$ = {np.round(value):.0f}: {its_bits:.1f} bit",
            (float(np.round(value)), its_bits),
            xytext=(-6 * sign, 4),
            textcoords="offset points",
            ha="right" if sign > 0 else "left",
            va="bottom",
            color=colour,
        )
    axes.set_ylim(0, 1.35 * max(cost.max(), element.bits_before))
    axes.set_xlim(values[0], values[-1])
    axes.set_ylabel("bits")
    axes.set_xlabel("latent element $y$")


def _mass(element: Element, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the Laplace distribution in [value - 1/2, value + 1/2]."""
    ends = (values[None] + [[0.5], [-0.5]] - element.mean) / element.scale
    tails = np.exp(-np.abs(ends)) / 2
    upper, lower = np.where(ends > 0, 1 - tails, tails)
    return upper - lower
