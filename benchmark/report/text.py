"""The tables of a run as text for a terminal."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pandas as pd

from benchmark.evaluation.complexity import complexity_lines
from benchmark.evaluation.curves import ap_name, measured_qualities
from benchmark.evaluation.deltas import delta_text, label_of, remarks
from benchmark.evaluation.tables import Tables
from benchmark.metrics.qualities import QUALITIES

_WIDTH = 100


def summary_text(summary: pd.DataFrame, incomplete: pd.DataFrame | None = None) -> str:
    """Return one row per codec and rate point, and whose average precision it is.

    Args:
        summary: the complete rate points.
        incomplete: those that lack images (`incomplete_points`): rows without numbers, which say
            how many there are.
    """
    remark = pd.Series("", summary.index)
    if incomplete is not None and not incomplete.empty:
        pairs = zip(incomplete["images"], incomplete["of"], strict=True)
        counts = pd.Series([f"{number} of {of} images" for number, of in pairs])
        remark = pd.concat([remark, counts], ignore_index=True)
        lacking = incomplete[["codec", "rate_point"]]
        summary = pd.concat([summary, lacking], ignore_index=True)
        summary = summary.sort_values("codec", kind="stable")
        remark = remark[summary.index]
    columns = {"codec": summary["codec"].mask(summary["codec"].duplicated(), "")}
    columns["rate point"] = summary["rate_point"]
    columns["bpp"] = _numbers(summary["bpp"], 4)
    for quality in measured_qualities(summary):
        heading = f"{quality.label}/{quality.unit}" if quality.unit else quality.label
        columns[heading] = summary[quality.column].map(quality.text)
    columns |= {
        "enc/s": _numbers(summary["encode_s"], 3),
        "dec/s": _numbers(summary["decode_s"], 3),
    }
    if remark.any():
        columns["incomplete"] = remark
    table = pd.DataFrame(columns).to_string(index=False)
    ap = ap_name(summary)
    remarks_below = [f"wAP and AP50: average precision as {ap} computes it."] if ap else []
    return "\n".join([table, *remarks_below, *complexity_lines(summary)])


def delta_rates_text(deltas: pd.DataFrame, anchor: str) -> str:
    """Return one row per codec: the Bjontegaard delta rates; below, what to doubt about them."""
    if deltas.empty:
        return f"No Bjontegaard deltas: {anchor} has no curve in this run."
    present = set(deltas["quality"])
    qualities = [name for name in QUALITIES if name in present]
    rows, doubts = [], []
    for codec, lines in deltas[deltas["method"] == "akima"].groupby("codec"):
        by_quality = {line["quality"]: line for line in lines.to_dict("records")}
        doubts += [
            f"{codec}, {label_of(quality)}: {remark}"
            for quality in qualities
            if (remark := remarks(by_quality[quality]))
        ]
        rows.append([codec, *(delta_text(by_quality[name]) for name in qualities)])
    labels = [f"at equal {label_of(quality)}" for quality in qualities]
    shown = pd.DataFrame(rows, columns=["codec", *labels])
    width = shown["codec"].str.len().max()
    names = {"codec": f"{{:<{width}}}".format}
    table = shown.to_string(index=False, justify="left", formatters=names)
    parts = [
        f"Bitrate against {anchor} in percent (Bjontegaard delta, Akima):",
        *(line.rstrip() for line in table.splitlines()),
        "±: the most that a single rate point changes the delta, in percentage points.",
    ]
    if doubts:
        parts += ["To doubt:", *(_wrapped(doubt) for doubt in doubts)]
    return "\n".join(parts)


def tables_text(
    summary: pd.DataFrame,
    deltas: pd.DataFrame,
    anchor: str,
    incomplete: pd.DataFrame | None = None,
) -> str:
    """Return both tables, and which curves are not of this run."""
    parts = [summary_text(summary, incomplete), delta_rates_text(deltas, anchor)]
    if published := sorted(set(summary.loc[summary["source"] == "published", "codec"])):
        parts[-1] += f"\n{', '.join(published)}: the published curve, not measured in this run."
    return "\n\n".join(parts)


def outcome_text(tables: Tables, anchor: str, path: Path) -> str:
    """Return the tables of a run with the notes on them, and where its curves and report lie."""
    text = tables_text(tables.summary, tables.against(anchor), anchor, tables.incomplete)
    notes = [f"{note}." for note in tables.notes]
    files = f"\nCurves: {path}/curves.svg and .png, report: {path}/report.html"
    return "\n".join([text, *notes, files])


def _numbers(values: pd.Series, digits: int) -> pd.Series:
    return values.map(lambda value: "-" if pd.isna(value) else f"{value:.{digits}f}")


def _wrapped(line: str) -> str:
    return textwrap.fill(line, _WIDTH, initial_indent="  ", subsequent_indent="      ")
