"""The look that all figures share, and their files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from benchmark.system.files import short_name

ONE_COLUMN = 3.5
"""Width in inches of a figure in one column of an IEEE paper."""

TWO_COLUMNS = 7.16
"""Width in inches of a figure over both columns."""

# Okabe and Ito's colours, which colour-blind readers can tell apart; grey for the pale yellow.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
_MARKERS = "osD^vP"
_DASHES = ("-", "--", ":")

# A PDF embeds Matplotlib's own font, of whose dates fontTools complains.
logging.getLogger("fontTools.ttLib.tables._h_e_a_d").setLevel(logging.ERROR)

_SETTINGS: dict[Any, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "benchmark",
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
}


@dataclass(frozen=True)
class LineStyle:
    """How a codec's curve is drawn, in Matplotlib's terms."""

    color: str
    marker: str
    linestyle: str


def line_styles(codecs: Sequence[str]) -> dict[str, LineStyle]:
    """A style for each codec, different for up to 24 of them."""
    return {
        codec: LineStyle(
            COLOURS[number % len(COLOURS)],
            _MARKERS[number % len(_MARKERS)],
            _DASHES[number // len(COLOURS) % len(_DASHES)],
        )
        for number, codec in enumerate(codecs)
    }


def paper_style() -> AbstractContextManager[None]:
    """A context in which figures look as they should in a paper."""
    return matplotlib.rc_context(_SETTINGS)


def save(figure: Figure, out: Path, name: str) -> list[Path]:
    """Write a figure as SVG, PDF and PNG; the same figure always gives the same files."""
    _settle(figure)
    paths = []
    for kind, dated in (("svg", "Date"), ("pdf", "CreationDate"), ("png", "Software")):
        path = out / short_name(name, f".{kind}")
        figure.savefig(path, format=kind, metadata={dated: None})
        paths.append(path)
    return paths


def _settle(figure: Figure) -> None:
    """Lay a figure out once, and round where its axes are.

    The solver behind "constrained" takes its equations in an order that differs from call to call,
    which changes last digits, and with them the identifiers in an SVG file.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        x0, y0, width, height = axes.get_position(original=True).bounds
        axes.set_position((round(x0, 6), round(y0, 6), round(width, 6), round(height, 6)))


def rgb(number: int) -> tuple[int, int, int]:
    """The n-th colour for marking objects in an image; black is not among them."""
    bright = [colour for colour in COLOURS if colour not in ("#000000", "#999999")]
    code = bright[number % len(bright)]
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
