"""The tables of a run as text for a terminal."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pandas as pd

from benchmark.evaluation.complexity import complexity_lines
from benchmark.evaluation.curves import ap_name, main_qualities
from benchmark.evaluation.deltas import delta_text, label_of, remarks
from benchmark.evaluation.needed_rates import shown_needed_rates
from benchmark.evaluation.scales import shown_hulls, shown_scale
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
    if "scale" in summary:
        columns["scale"] = summary["scale"].map(shown_scale)
        columns["hull of"] = summary["hull"].map(shown_hulls)
    columns["bpp"] = _numbers(summary["bpp"], 4)
    for quality in main_qualities(summary):
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
    remarks_below = [f"wAP and AP50: average precision ({ap})."] if ap else []
    return "\n".join([table, *remarks_below, *complexity_lines(summary)])


def delta_rates_text(deltas: pd.DataFrame, anchor: str) -> str:
    """Return one row per codec: the Bjontegaard delta rates; below, what to doubt about them.

    Of several qualities only the first one's doubts stand there, and the number of the others:
    ``bd_rate.csv`` and the report have all.
    """
    if deltas.empty:
        return f"No Bjontegaard deltas: {anchor} has no curve in this run."
    present = set(deltas["quality"])
    qualities = [name for name in QUALITIES if name in present]
    rows = []
    doubts: dict[str, list[str]] = {name: [] for name in qualities}
    for codec, lines in deltas[deltas["method"] == "akima"].groupby("codec"):
        by_quality = {line["quality"]: line for line in lines.to_dict("records")}
        for quality in qualities:
            if remark := remarks(by_quality[quality]):
                doubts[quality].append(f"{codec}, {label_of(quality)}: {remark}")
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
    first, *others = qualities
    if doubts[first]:
        parts += ["To doubt:", *map(_wrapped, doubts[first])]
    if of_others := [
        f"{len(doubts[its])} at equal {label_of(its)}" for its in others if doubts[its]
    ]:
        parts.append(f"More to doubt, in bd_rate.csv and report.html: {', '.join(of_others)}.")
    return "\n".join(parts)


def preliminary_text(tables: Tables, anchor: str) -> str:
    """Return how far a run is, and the deltas at equal wAP; without doubts, as all of it is one."""
    deltas = tables.against(anchor).query("quality == 'wap' and method == 'akima'")
    header = f"Preliminary, {tables.preliminary}."
    if deltas.empty:
        return header
    shown = ", ".join(
        f"{line['codec']} {line['bd_rate']:+.0f}"
        for line in deltas.sort_values("bd_rate").to_dict("records")
        if not pd.isna(line["bd_rate"])
    )
    return f"{header}\n" + _wrapped(f"bitrate at equal wAP against {anchor} in percent: {shown}")


def needed_rates_text(needed: pd.DataFrame) -> str:
    """Return one row per codec: the rates for shares of the uncompressed wAP; "" without any."""
    shown = shown_needed_rates(needed)
    if shown.empty:
        return ""
    widths = {str(name): max(map(len, [str(name), *shown[name]])) for name in shown}
    left = {name: f"{{:<{width}}}".format for name, width in widths.items()}
    table = shown.to_string(index=False, justify="left", formatters=left)
    lines = [line.rstrip() for line in table.splitlines()]
    return "\n".join(
        ["Bits per pixel for a share of the uncompressed wAP (95 % interval):", *lines]
    )


def tables_text(tables: Tables, anchor: str) -> str:
    """Return all tables, and which curves are not of this run."""
    summary = tables.summary
    parts = [
        summary_text(summary, tables.incomplete),
        *filter(None, [needed_rates_text(tables.needed)]),
        delta_rates_text(tables.against(anchor), anchor),
    ]
    if published := sorted(set(summary.loc[summary["source"] == "published", "codec"])):
        parts[-1] += f"\n{', '.join(published)}: the published curve, not measured in this run."
    if tables.signature:
        parts.append(f"Signature: {tables.signature}")
    return "\n\n".join(parts)


def outcome_text(tables: Tables, anchor: str, path: Path) -> str:
    """Return the tables of a run with the notes on them, and where its curves and report lie."""
    notes = [f"{note}." for note in tables.notes]
    files = f"\nCurves: {path}/curves.svg and .png, report: {path}/report.html"
    return "\n".join([tables_text(tables, anchor), *notes, files])


def _numbers(values: pd.Series, digits: int) -> pd.Series:
    return values.map(lambda value: "-" if pd.isna(value) else f"{value:.{digits}f}")


def _wrapped(line: str) -> str:
    return textwrap.fill(line, _WIDTH, initial_indent="  ", subsequent_indent="      ")
