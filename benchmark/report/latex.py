"""The tables of a run for a paper in LaTeX, with the package booktabs."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.evaluation.deltas import UNDETERMINED, is_undetermined, label_of, remarks
from benchmark.metrics.qualities import QUALITIES

_METHODS = {"akima": "Akima", "pchip": "PCHIP", "cubic": "cubic", "isotonic": "isotonic"}
_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def escape(text: str) -> str:
    """Text in which no character has a meaning of its own to LaTeX."""
    return text.translate(_ESCAPES)


def delta_rate_table(
    deltas: pd.DataFrame,
    anchor: str,
    ap: str,
    commands: Mapping[str, Sequence[str]],
    method: str = "akima",
    note: str = "",
) -> str:
    """Return one row per codec: the Bjontegaard delta rates and their uncertainties.

    What makes one doubtful stands below, and in comments how each curve was made. Where the
    anchor has no curve, a comment says so.

    Args:
        deltas: as `benchmark.evaluation.deltas.delta_rates` makes it, or as ``bd_rate.csv``
            is read.
        anchor: the codec that the others are compared to.
        ap: whose average precision wAP rests on, for the caption: COCO or Cityscapes.
        commands: those that made each codec's curve.
        method: the interpolation.
        note: a sentence about the curves, for the caption.
    """
    deltas = deltas[(deltas["method"] == method) & (deltas["anchor"] == anchor)]
    if deltas.empty:
        return f"% no Bjontegaard deltas: {anchor} has no curve in this run\n"
    present = set(deltas["quality"])
    qualities = [quality for quality in QUALITIES if quality in present]
    notes: dict[str, str] = {}
    rows = []
    for codec, lines in deltas.groupby("codec"):
        by_quality = {line["quality"]: line for line in lines.to_dict("records")}
        cells = [_delta(by_quality[quality], notes) for quality in qualities]
        rows.append([_name(codec), *cells])
    caption = (
        f"Bj{{\\o}}ntegaard delta rates in percent against {_name(anchor)} "
        f"({_METHODS[method]} interpolation). Negative: fewer bits than the anchor. "
        f"$\\pm$: the most that a single rate point changes the delta. {_ap_sentence(ap)}"
        + (f" {escape(note)}." if note else "")
    )
    header = ["codec", *(f"at equal {label_of(quality)}" for quality in qualities)]
    made = [
        f"% {codec}: {command}"
        for codec in sorted({*deltas["codec"], anchor})
        for command in commands.get(codec, ())
    ]
    table = _table(caption, "delta-rates", "l" + "r" * len(qualities), header, [rows], notes)
    return "\n".join([*made, table])


def _table(
    caption: str,
    label: str,
    alignment: str,
    header: list[str],
    groups: list[list[list[str]]],
    notes: dict[str, str],
) -> str:
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        _row(header),
    ]
    for rows in groups:
        lines += [r"\midrule", *map(_row, rows)]
    lines += [r"\bottomrule", r"\end{tabular}"]
    for note, mark in notes.items():
        lines += ["", rf"\footnotesize\textsuperscript{{{mark}}} {escape(note)}"]
    return "\n".join([*lines, r"\end{table}", ""])


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _delta(delta: Mapping[Any, Any], notes: dict[str, str]) -> str:
    """A cell; gives its note a letter if no cell before it has the same."""
    if pd.isna(delta["bd_rate"]):
        cell = "--"
    elif is_undetermined(delta):
        cell = UNDETERMINED
    elif pd.isna(delta["uncertainty"]):
        cell = f"${delta['bd_rate']:+.1f}$"
    else:
        cell = rf"${delta['bd_rate']:+.1f} \pm {delta['uncertainty']:.1f}$"
    remark = remarks(delta)
    if not remark:
        return cell
    mark = notes.setdefault(remark, _mark(len(notes)))
    return rf"{cell}\textsuperscript{{{mark}}}"


def _mark(number: int) -> str:
    """a to z, then aa and so on."""
    rounds, letter = divmod(number, len(string.ascii_lowercase))
    return string.ascii_lowercase[letter] * (rounds + 1)


def _name(name: object) -> str:
    return rf"\texttt{{{escape(str(name))}}}"


def _ap_sentence(ap: str) -> str:
    return f"wAP: weighted average precision ({escape(ap)})."
