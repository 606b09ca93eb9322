"""Rate-quality curves as pictures."""

from __future__ import annotations

import io
from itertools import cycle

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.evaluation.curves import (
    OFF_HULL,
    ap_name,
    compared_qualities,
    curve_label,
    curves,
    is_external,
    is_hull,
    on_curve,
    single_points,
)
from benchmark.metrics.qualities import Quality

# Okabe and Ito's colours, which colour-blind readers can tell apart; grey for the pale yellow.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
_MARKERS = "osD^vPX*<>"


def draw_curves(summary: pd.DataFrame) -> Figure:
    """Return the qualities against the rate: one curve per codec, a dashed line for a single point.

    Curves from elsewhere are dashed, with open marks. Rate points off a convex hull are small.

    Args:
        summary: rate points, perhaps with external curves.
    """
    qualities = compared_qualities(summary)
    figure = Figure(figsize=(6.2 * max(1, len(qualities)), 4.6), layout="constrained")
    if not qualities:
        figure.text(0.5, 0.5, "no quality was measured", ha="center")
        return figure
    for axes, quality in zip(
        figure.subplots(1, len(qualities), squeeze=False)[0], qualities, strict=True
    ):
        _draw_quality(axes, summary, quality)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    return figure


def render(figure: Figure, kind: str) -> bytes:
    """The figure's file; ``kind`` is svg or png."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "benchmark", "svg.fonttype": "path"}):
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(file, format=kind, dpi=150, metadata=metadata)
    return file.getvalue()


def _draw_quality(axes: Axes, summary: pd.DataFrame, quality: Quality) -> None:
    styles = zip(
        cycle(_COLOURS), cycle(_MARKERS), cycle(["-"] * len(_COLOURS) + ["--"] * len(_COLOURS))
    )
    for lines, (colour, marker, dashes) in zip(curves(summary).values(), styles, strict=False):
        external, curve = is_external(lines), on_curve(lines, quality)
        axes.plot(
            curve["bpp"],
            curve[quality.column],
            color=colour,
            marker=marker,
            markersize=4.5,
            markerfacecolor="none" if external else colour,
            linestyle="--" if external else dashes,
            linewidth=1.4,
            label=curve_label(lines).replace("$", r"\$"),
        )
        if is_hull(lines):
            off = lines.drop(curve.index)
            axes.plot(
                off["bpp"], off[quality.column], color=colour, marker=marker, markersize=2.5, ls=""
            )
    if any(map(is_hull, curves(summary).values())):
        axes.plot([], [], color="0.5", marker="o", markersize=2.5, ls="", label=OFF_HULL)
    if quality.of_detections:
        _draw_limits(axes, summary, quality)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("rate / bits per pixel")
    axes.set_ylabel(quality.title(ap_name(summary)))
    axes.grid(which="both", lw=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_limits(axes: Axes, summary: pd.DataFrame, quality: Quality) -> None:
    """The quality of what has one rate point only, for example of the original images."""
    limits = zip(single_points(summary).items(), cycle(((4, 3), (1, 2))), strict=False)
    for (codec, rows), dashes in limits:
        level = rows[quality.column].iloc[0]
        axes.axhline(level, color="0.35", lw=1, dashes=dashes, label=codec)
