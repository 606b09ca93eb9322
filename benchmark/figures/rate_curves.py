"""Figure V of the poster, and the curves' rate relative to the anchor's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmark.evaluation.curves import (
    HULL,
    OFF_HULL,
    ap_name,
    compared_qualities,
    curve_label,
    curves,
    is_external,
    is_hull,
    on_curve,
    points,
    single_points,
)
from benchmark.figures.style import ONE_COLUMN, TWO_COLUMNS, LineStyle, line_styles
from benchmark.metrics.bjontegaard_delta import relative_curve_difference
from benchmark.metrics.qualities import QUALITIES, Quality

_TICKS = (-87.5, -75, -50, 0, 100, 300, 700, 1500)
_LEGEND_COLUMNS, _MOST_COLUMNS = 3, 7


def draw_wap_curves(summary: pd.DataFrame) -> Figure:
    """wAP against the rate, a curve a codec; a line for one with a single rate point.

    Curves from elsewhere are dashed, with open marks. Rate points off a convex hull are small.

    Args:
        summary: as in ``summary.csv``, perhaps with external curves.
    """
    drawn = curves(summary)
    styles = line_styles(list(drawn))
    has_hulls = any(map(is_hull, drawn.values()))
    columns = _LEGEND_COLUMNS - has_hulls  # whose labels are longer
    rows = -(-(len(drawn) + 2 + has_hulls) // columns)
    figure = Figure(figsize=(ONE_COLUMN, 2.4 + 0.16 * rows), layout="constrained")
    axes = figure.subplots()
    for codec, lines in drawn.items():
        style: dict[str, Any] = dict(vars(styles[codec]))
        if is_external(lines):
            style |= {"linestyle": "--", "markerfacecolor": "none"}
        curve = on_curve(lines, QUALITIES["wap"])
        axes.plot(curve["bpp"], curve["wap"], label=curve_label(lines).replace("$", r"\$"), **style)
        if is_hull(lines):
            off = lines.drop(curve.index)
            axes.plot(off["bpp"], off["wap"], **style | {"linestyle": "", "markersize": 1.8})
    if has_hulls:
        axes.plot([], [], color="0.5", marker="o", ls="", markersize=1.8, label=OFF_HULL)
    for (codec, lines), dashes in zip(single_points(summary).items(), ("--", ":"), strict=False):
        axes.axhline(lines["wap"].iloc[0], color="0.35", lw=0.8, ls=dashes, label=codec)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(bottom=0)
    axes.grid(which="both", axis="x")
    axes.grid(axis="y")
    axes.set_xlabel("rate / bits per pixel")
    axes.set_ylabel(QUALITIES["wap"].title(ap_name(summary)))
    _add_legend(figure, axes, columns)
    return figure


def draw_relative_curve_differences(
    summary: pd.DataFrame, anchor: str, stated: pd.DataFrame | None = None
) -> Figure:
    """Return the codecs' rates relative to the anchor's, one panel per quality.

    Args:
        summary: as in ``summary.csv``; it holds a curve of the anchor.
        anchor: the codec that the others are compared to.
        stated: deltas that others state (`stated_gains`), to be marked as dotted lines in the
            colours of the codecs; None for none.
    """
    lines = curves(summary)
    styles = line_styles(list(lines))
    qualities = compared_qualities(summary)
    columns = -(-len(lines) // -(-len(lines) // _MOST_COLUMNS))
    rows = -(-len(lines) // columns)
    figure = Figure(figsize=(TWO_COLUMNS, 2.4 + 0.16 * rows), layout="constrained")
    panels = figure.subplots(1, len(qualities), squeeze=False)[0]
    drawn = [0.0]
    for axes, quality in zip(panels, qualities, strict=True):
        for codec, its in lines.items():
            if codec != anchor:
                drawn += _draw_difference(axes, its, lines[anchor], quality, styles[codec])
        if stated is not None:
            drawn += _draw_stated(axes, stated, anchor, quality, styles)
        axes.axhline(0, label=f"{anchor} (anchor)", color="0.2", lw=0.8)
        axes.set_yscale("function", functions=(_to_doublings, _from_doublings))
        axes.set_yticks(_TICKS, [f"{tick:+g}" if tick else "0" for tick in _TICKS])
        axes.grid()
        axes.set_xlabel(quality.title(ap_name(summary)))
    for axes in panels:
        low, high = _to_doublings(np.array([min(drawn), max(drawn)]))
        axes.set_ylim(_from_doublings(np.array([low - 0.3, high + 0.3])))
    panels[0].set_ylabel(f"rate relative to {anchor} / %")
    _add_legend(figure, panels[0], columns)
    return figure


def _draw_difference(
    axes: Axes, lines: pd.DataFrame, anchor: pd.DataFrame, quality: Quality, style: LineStyle
) -> list[float]:
    """Draws a curve; the values that it reaches."""
    difference = relative_curve_difference(points(lines, quality), points(anchor, quality))
    axes.plot(
        [quality.rising(value) for value in difference.quality],
        difference.percent,
        label=lines["codec"].iloc[0] + (f" ({HULL})" if is_hull(lines) else ""),
        markevery=0.2,
        **vars(style),
    )
    return [float(value) for value in difference.percent]


def _draw_stated(
    axes: Axes,
    stated: pd.DataFrame,
    anchor: str,
    quality: Quality,
    styles: Mapping[str, LineStyle],
) -> list[float]:
    """Draw the stated deltas of the codecs that have a curve; return the values."""
    fits = (stated["anchor"] == anchor) & (stated["quality"] == quality.column)
    deltas = dict(zip(stated[fits]["codec"].map(str), stated[fits]["bd_rate"], strict=True))
    drawn = {codec: float(delta) for codec, delta in deltas.items() if codec in styles}
    for codec, delta in drawn.items():
        axes.axhline(
            delta,
            label=f"{codec}, the paper's mean: {delta:+.1f} %",
            color=styles[codec].color,
            lw=0.9,
            ls=":",
        )
    return list(drawn.values())


def _to_doublings(percent: NDArray[np.float64]) -> NDArray[np.float64]:
    """So that half the rate is as far from the anchor as twice the rate."""
    return np.log2(np.maximum(1 + percent / 100, 1e-3))


def _from_doublings(doublings: NDArray[np.float64]) -> NDArray[np.float64]:
    return 100 * (2.0**doublings - 1)


def _add_legend(figure: Figure, axes: Axes, columns: int = _LEGEND_COLUMNS) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        columnspacing=1.2,
        handlelength=2.2,
    )
