"""The tables of a run for a paper in LaTeX, with the package booktabs."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmark.evaluation.summary import remarks

_METHODS = {"akima": "Akima", "pchip": "PCHIP", "cubic": "cubic"}
_QUALITIES = {"wap": "wAP", "psnr": "PSNR"}
_COLUMNS = {
    "bpp": ("bpp", "{:.4f}"),
    "wap": (r"wAP/\%", "{:.2f}"),
    "ap50": (r"AP50/\%", "{:.2f}"),
    "psnr": ("PSNR/dB", "{:.2f}"),
    "ms_ssim": ("MS-SSIM", "{:.4f}"),
}
_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def escape(text: str) -> str:
    """Text in which no character has a meaning of its own to LaTeX."""
    return text.translate(_ESCAPES)


def delta_rate_table(deltas: pd.DataFrame, anchor: str, ap: str, method: str = "akima") -> str:
    """The Bjontegaard delta rates and their uncertainties, a line a codec.

    What makes one doubtful stands below. Where the anchor has no curve, a comment says so.

    Args:
        deltas: as `benchmark.evaluation.summary.delta_rates` makes it, or as ``bd_rate.csv``
            is read.
        anchor: the codec that the others are compared to.
        ap: whose average precision wAP rests on, for the caption: COCO or Cityscapes.
        method: the interpolation.
    """
    deltas = deltas[(deltas["method"] == method) & (deltas["anchor"] == anchor)]
    if deltas.empty:
        return f"% no Bjontegaard deltas: {anchor} has no curve in this run\n"
    qualities = [quality for quality in _QUALITIES if quality in set(deltas["quality"])]
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
    )
    header = ["codec", *(f"at equal {_QUALITIES[quality]}" for quality in qualities)]
    return _table(caption, "delta-rates", "l" + "r" * len(qualities), header, [rows], notes)


def summary_table(summary: pd.DataFrame, ap: str) -> str:
    """Rate and quality, a line a codec and rate point; without the qualities that nothing has.

    Args:
        summary: as `benchmark.evaluation.summary.summarize` makes it, or as ``summary.csv``
            is read.
        ap: as for `delta_rate_table`.
    """
    shown = [column for column in _COLUMNS if summary[column].notna().any()]
    groups = [
        [
            [
                _name(codec) if number == 0 else "",
                _name(line["rate_point"]),
                *(_number(line[column], _COLUMNS[column][1]) for column in shown),
            ]
            for number, line in enumerate(lines.to_dict("records"))
        ]
        for codec, lines in summary.groupby("codec")
    ]
    header = ["codec", "rate point", *(_COLUMNS[column][0] for column in shown)]
    caption = f"Rate and quality of all rate points. {_ap_sentence(ap)}"
    return _table(caption, "rate-points", "ll" + "r" * len(shown), header, groups, {})


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


def _number(value: Any, pattern: str) -> str:
    return "--" if pd.isna(value) else pattern.format(value)


def _name(name: object) -> str:
    return rf"\texttt{{{escape(str(name))}}}"


def _ap_sentence(ap: str) -> str:
    return f"wAP: weighted average precision as {escape(ap)} computes it."
