"""Rate-quality curves as pictures."""

from __future__ import annotations

import io
from itertools import cycle

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.summary import ap_name, curve_label, curves, is_external

# Okabe and Ito's colours, which colour-blind readers can tell apart; grey for the pale yellow.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
_MARKERS = "osD^vPX*<>"
_LABELS = {"wap": "wAP ({ap}) / %", "psnr": "PSNR / dB"}


def draw_curves(summary: pd.DataFrame) -> Figure:
    """wAP and PSNR against the rate: a curve a codec, a dashed line for one without a curve.

    Curves from elsewhere are dashed, with open marks.

    Args:
        summary: as `with_published_anchor` leaves it, perhaps with external curves.
    """
    qualities = [quality for quality in _LABELS if summary[quality].notna().any()]
    figure = Figure(figsize=(6.2 * len(qualities), 4.6), layout="constrained")
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


def _draw_quality(axes: Axes, summary: pd.DataFrame, quality: str) -> None:
    styles = zip(
        cycle(_COLOURS), cycle(_MARKERS), cycle(["-"] * len(_COLOURS) + ["--"] * len(_COLOURS))
    )
    for lines, (colour, marker, dashes) in zip(curves(summary).values(), styles, strict=False):
        external = is_external(lines)
        axes.plot(
            lines["bpp"],
            lines[quality],
            color=colour,
            marker=marker,
            markersize=4.5,
            markerfacecolor="none" if external else colour,
            linestyle="--" if external else dashes,
            linewidth=1.4,
            label=curve_label(lines).replace("$", r"\$"),
        )
    if quality == "wap":
        _draw_limits(axes, summary)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("rate / bits per pixel")
    axes.set_ylabel(_LABELS[quality].format(ap=ap_name(summary)))
    axes.grid(which="both", lw=0.4, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_limits(axes: Axes, summary: pd.DataFrame) -> None:
    """The quality of what has one rate point only, for example of the original images."""
    for (codec, lines), dashes in zip(
        ((codec, lines) for codec, lines in summary.groupby("codec") if len(lines) == 1),
        cycle(((4, 3), (1, 2))),
        strict=False,
    ):
        axes.axhline(lines["wap"].iloc[0], color="0.35", lw=1, dashes=dashes, label=str(codec))
