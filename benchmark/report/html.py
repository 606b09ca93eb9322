"""The report of a run as one HTML file that needs nothing else."""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jinja2
import markupsafe
import pandas as pd

from benchmark.evaluation.complexity import measured_complexity
from benchmark.evaluation.curves import (
    EXTERNAL,
    ap_name,
    compared_qualities,
    curve_label,
    curves,
    is_external,
    is_hull,
    main_qualities,
    measured_qualities,
    on_curve,
    points,
)
from benchmark.evaluation.deltas import (
    UNDETERMINED,
    delta_text,
    is_undetermined,
    is_within_uncertainty,
    remarks,
)
from benchmark.evaluation.needed_rates import point_deltas, shown_needed_rates
from benchmark.evaluation.scales import shown_hulls, shown_scale
from benchmark.evaluation.tables import Tables
from benchmark.metrics.bjontegaard_delta import METHODS, relative_curve_difference
from benchmark.metrics.qualities import QUALITIES, Quality
from benchmark.report.gallery import Gallery
from benchmark.run.manifest import Manifest
from benchmark.run.record import UNCOMPRESSED
from benchmark.system.files import in_utf8

_METHOD_NAMES = {"akima": "Akima", "pchip": "PCHIP", "cubic": "cubic", "isotonic": "isotonic"}
_SHOWN = ("bpp", *QUALITIES, "encode_s", "decode_s", "wap_low", "wap_high")
_EVERY = 12
"""Of the points of a relative curve difference, one in so many is drawn."""


def html_report(
    manifest: Manifest,
    tables: Tables,
    anchor: str,
    picture: bytes,
    gallery: Gallery | None = None,
    external: Sequence[pd.DataFrame] = (),
) -> bytes:
    """Return what was run and what came out, as one page.

    Args:
        manifest: of the run.
        tables: of the run.
        anchor: the one that is shown first.
        picture: the curves as an SVG file, for readers without scripts.
        gallery: pictures to compare.
        external: curves from elsewhere.
    """
    files = importlib.resources.files("benchmark.report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": _number, "hulls": shown_hulls, "scale": shown_scale}
    summary = pd.concat([tables.summary, *external], ignore_index=True)
    by_anchor = {str(name): _rows(rows) for name, rows in tables.deltas.groupby("anchor")}
    anchor = anchor if anchor in by_anchor else ""
    compared = [its for its in QUALITIES.values() if its.column in set(tables.deltas["quality"])]
    template, style, script = (
        files.joinpath(name).read_text(encoding="utf-8")
        for name in ("report.html.jinja", "report.css", "report.js")
    )
    page = environment.from_string(template).render(
        style=markupsafe.Markup(style),
        script=markupsafe.Markup(script),
        manifest=manifest,
        qualities=main_qualities(summary),
        complexity=measured_complexity(summary),
        scaled="scale" in summary,
        delta_columns=[
            f"{q.label}, {_METHOD_NAMES[method]}" for q in compared for method in METHODS
        ],
        summary=summary.to_dict("records"),
        notes=tables.notes,
        preliminary=tables.preliminary,
        ap=ap_name(summary),
        details=[quality for quality in measured_qualities(summary) if quality.detail],
        classes=[str(name)[3:] for name in summary if str(name).startswith("ap_")],
        measured=summary[summary["source"] != EXTERNAL].to_dict("records"),
        anchor=anchor,
        deltas=by_anchor.get(anchor, []),
        incomplete=tables.incomplete.to_dict("records"),
        needed=shown_needed_rates(tables.needed),
        signature=tables.signature,
        against=_against(tables.summary, anchor),
        gallery=gallery,
        curves=markupsafe.Markup(picture.decode().partition("?>")[2]),
        data={
            "qualities": [_described(its, ap_name(summary)) for its in measured_qualities(summary)],
            "anchor": anchor,
            "curves": _curves(summary),
            "deltas": by_anchor,
            "differences": _differences(tables.summary, list(by_anchor)),
            "original": UNCOMPRESSED,
            "pictures": [asdict(picture) for picture in gallery.pictures] if gallery else [],
        },
    )
    return in_utf8(page)


def _described(quality: Quality, ap: str) -> dict[str, Any]:
    """What the page's script has to know of a quality."""
    return {
        "column": quality.column,
        "label": quality.label,
        "unit": quality.unit,
        "digits": quality.digits,
        "title": quality.title(ap),
        "limits": quality.of_detections,
    }


def _against(summary: pd.DataFrame, anchor: str) -> dict[tuple[str, str], float]:
    """The rates of single points against the anchor's curve, in percent, by codec and point."""
    table = point_deltas(summary, anchor)
    keys = zip(table["codec"], table["rate_point"], strict=True)
    return dict(zip(keys, table["percent"], strict=True))


def _number(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"


def _rows(deltas: pd.DataFrame) -> list[dict[str, Any]]:
    """One row per codec of the table of deltas against one anchor."""
    present = [name for name in QUALITIES if name in set(deltas["quality"])]
    rows = []
    for codec, lines in deltas.groupby("codec"):
        by_key = {(line["quality"], line["method"]): line for line in lines.to_dict("records")}
        cells = [_cell(by_key[quality, method]) for quality in present for method in METHODS]
        rows.append({"codec": codec, "cells": cells})
    return rows


def _cell(delta: Mapping[Any, Any]) -> dict[str, Any]:
    """A delta as it is shown, with what it is sorted by; doubts only of Akima's."""
    value, details = delta["bd_rate"], []
    known = not pd.isna(value)
    text = f"{value:+.1f}" if known else "-"
    if is_undetermined(delta):
        text = UNDETERMINED
    if delta["method"] == "akima":
        text = delta_text(delta)
        if not pd.isna(delta["low"]):
            details.append(f"95 %: {delta['low']:+.1f} to {delta['high']:+.1f}")
        details += filter(None, [remarks(delta)])
    return {
        "value": value if known else "-",
        "text": text,
        "details": details,
        "within": delta["method"] == "akima" and is_within_uncertainty(delta),
    }


def _differences(
    summary: pd.DataFrame, anchors: Sequence[str]
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The relative curve differences to each anchor, by the quality that is equal."""
    rows_of = curves(summary)
    return {
        anchor: {
            quality.column: [
                {"codec": codec, "points": _difference(rows, rows_of[anchor], quality)}
                for codec, rows in rows_of.items()
                if codec != anchor
            ]
            for quality in compared_qualities(summary)
        }
        for anchor in anchors
    }


def _difference(codec: pd.DataFrame, anchor: pd.DataFrame, quality: Quality) -> list[list[float]]:
    """Pairs of a quality and a rate difference in percent."""
    found = relative_curve_difference(points(codec, quality), points(anchor, quality))
    last = len(found.quality) - 1
    drawn = [*range(0, last + 1, _EVERY), last] if last >= 0 else []
    digits = quality.digits + 1
    return [
        [
            round(quality.rising(float(found.quality[at])), digits),
            round(float(found.percent[at]), 2),
        ]
        for at in drawn
    ]


def _curves(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """The rate points of each codec; those of external curves last."""
    qualities = measured_qualities(summary)
    groups = [(str(codec), lines) for codec, lines in summary.groupby("codec")]
    return [
        {
            "codec": codec,
            "label": curve_label(lines),
            "external": is_external(lines),
            "points": _points(lines, qualities),
        }
        for codec, lines in sorted(groups, key=lambda group: is_external(group[1]))
    ]


def _points(lines: pd.DataFrame, qualities: Sequence[Quality]) -> list[dict[str, Any]]:
    """A codec's rate points; where its curves are convex hulls, with those that go through each."""
    shown = [
        {"rate": line["rate_point"]} | {key: _finite(line.get(key)) for key in _SHOWN}
        for line in lines.to_dict("records")
    ]
    if is_hull(lines):
        hulls = {quality.column: on_curve(lines, quality).index for quality in qualities}
        for label, point in zip(lines.index, shown, strict=True):
            point["hulls"] = [name for name, index in hulls.items() if label in index]
    return shown


def _finite(value: Any) -> float | None:
    """JSON has no NaN."""
    return float(value) if value is not None and math.isfinite(value) else None
