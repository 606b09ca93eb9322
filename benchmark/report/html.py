"""The report of a run as one HTML file that needs nothing else."""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jinja2
import pandas as pd

from benchmark.evaluation.summary import (
    EXTERNAL,
    QUALITIES,
    ap_name,
    curve_label,
    curves,
    is_external,
    is_within_uncertainty,
    points,
    remarks,
)
from benchmark.metrics.bjontegaard_delta import METHODS, relative_curve_difference
from benchmark.report.gallery import Gallery
from benchmark.run.run_folder import UNCOMPRESSED, Record

_SHOWN = ("bpp", "wap", "ap50", "psnr", "ms_ssim", "encode_s", "decode_s", "wap_low", "wap_high")
_EVERY = 12
"""Of the points of a relative curve difference, one in so many is drawn."""


def html_report(
    manifest: Mapping[str, Any],
    summary: pd.DataFrame,
    deltas: pd.DataFrame,
    anchor: str,
    picture: bytes,
    records: Sequence[Record] = (),
    gallery: Gallery | None = None,
) -> bytes:
    """What was run and what came out, as one page.

    Args:
        manifest: the run's ``run.json``.
        summary: a line a rate point (`benchmark.evaluation.summary.with_intervals`), perhaps with
            external curves.
        deltas: against all anchors (`benchmark.evaluation.summary.all_delta_rates`).
        anchor: the one that is shown first.
        picture: the curves as an SVG file, for readers without scripts.
        records: of the run, to tell what is missing.
        gallery: pictures to compare.
    """
    files = importlib.resources.files("benchmark.report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    markup = jinja2.utils.markupsafe.Markup
    own = summary[summary["source"] != EXTERNAL]
    tables = {str(name): _rows(lines) for name, lines in deltas.groupby("anchor")}
    anchor = anchor if anchor in tables else ""
    page = environment.from_string(files.joinpath("report.html.jinja").read_text()).render(
        style=markup(files.joinpath("report.css").read_text()),
        script=markup(files.joinpath("report.js").read_text()),
        manifest=manifest,
        summary=summary.to_dict("records"),
        ap=ap_name(summary),
        classes=[column for column in summary if str(column).startswith("ap_")],
        measured=own.to_dict("records"),
        anchor=anchor,
        deltas=tables.get(anchor, []),
        missing=_missing(manifest, records),
        gallery=gallery,
        curves=markup(picture.decode().partition("?>")[2]),
        data={
            "ap": ap_name(summary),
            "anchor": anchor,
            "curves": _curves(summary),
            "deltas": tables,
            "differences": _differences(own, list(tables)),
            "pictures": [asdict(picture) for picture in gallery.pictures] if gallery else [],
        },
    )
    return page.encode()


def _number(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"


def _rows(deltas: pd.DataFrame) -> list[dict[str, Any]]:
    """A row a codec of the table of deltas against one anchor."""
    rows = []
    for codec, lines in deltas.groupby("codec"):
        by_key = {(line["quality"], line["method"]): line for line in lines.to_dict("records")}
        cells = [_cell(by_key[quality, method]) for quality in QUALITIES for method in METHODS]
        rows.append({"codec": codec, "cells": cells})
    return rows


def _cell(delta: Mapping[Any, Any]) -> dict[str, Any]:
    """A delta as it is shown, with what it is sorted by; doubts only of Akima's."""
    value, details = delta["bd_rate"], []
    known = not pd.isna(value)
    text = f"{value:+.1f}" if known else "-"
    if delta["method"] == "akima":
        if known:
            text += " ± " + _number(delta["uncertainty"], 1)
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
    """The relative curve differences to each anchor, at equal wAP and at equal PSNR."""
    lines = curves(summary)
    return {
        anchor: {
            quality: [
                {"codec": codec, "points": _difference(its, lines[anchor], quality)}
                for codec, its in lines.items()
                if codec != anchor
            ]
            for quality in QUALITIES
        }
        for anchor in anchors
    }


def _difference(codec: pd.DataFrame, anchor: pd.DataFrame, quality: str) -> list[list[float]]:
    """Pairs of a quality and a rate difference in percent."""
    its = relative_curve_difference(points(codec, quality), points(anchor, quality))
    drawn = [*range(0, len(its.quality), _EVERY), len(its.quality) - 1] if len(its.quality) else []
    return [[round(float(its.quality[at]), 3), round(float(its.percent[at]), 2)] for at in drawn]


def _curves(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """The rate points of each codec; those of external curves last."""
    groups = [(str(codec), lines) for codec, lines in summary.groupby("codec")]
    return [
        {
            "codec": codec,
            "label": curve_label(lines),
            "external": is_external(lines),
            "points": [
                {"rate": line["rate_point"]} | {key: _finite(line.get(key)) for key in _SHOWN}
                for line in lines.to_dict("records")
            ],
        }
        for codec, lines in sorted(groups, key=lambda group: is_external(group[1]))
    ]


def _missing(manifest: Mapping[str, Any], records: Sequence[Record]) -> list[str]:
    """A line for each rate point that was asked for and lacks results of some images."""
    if not records:
        return []
    done = pd.Series([record.key[:2] for record in records]).value_counts()
    images = len(manifest["dataset"]["images"])
    asked = [
        (codec, rate) for codec, its in manifest["codecs"].items() for rate in its["rate_points"]
    ]
    originals = {record.key[:2] for record in records if record.codec == UNCOMPRESSED}
    return [
        f"{codec} {rate}: {images - count} of {images} images have no result"
        for codec, rate in [*sorted(originals), *asked]
        if (count := int(done.get((codec, rate), 0))) < images
    ]


def _finite(value: Any) -> float | None:
    """JSON has no NaN."""
    return float(value) if value is not None and math.isfinite(value) else None
