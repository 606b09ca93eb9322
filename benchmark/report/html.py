"""The report of a run as one HTML file that needs nothing else."""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jinja2
import pandas as pd

from benchmark.metrics.bjontegaard_delta import Point, delta_rate
from benchmark.report.gallery import Gallery
from benchmark.report.summary import QUALITIES, ap_name
from benchmark.store import UNCOMPRESSED, Record

_SHOWN = ("bpp", "wap", "ap50", "psnr", "ms_ssim", "encode_s", "decode_s")


def html_report(
    manifest: Mapping[str, Any],
    summary: pd.DataFrame,
    deltas: pd.DataFrame,
    curves: bytes,
    records: Sequence[Record] = (),
    gallery: Gallery | None = None,
) -> bytes:
    """What was run and what came out, as one page.

    Args:
        manifest: the run's ``run.json``.
        summary: a line a rate point (`benchmark.report.summary.summarize`).
        deltas: against the anchor that is shown first; the page holds those against all others
            too.
        curves: an SVG file, for readers without scripts.
        records: of the run, to tell what is missing.
        gallery: pictures to compare.
    """
    files = importlib.resources.files("benchmark.report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    markup = jinja2.utils.markupsafe.Markup
    shown = deltas[deltas["method"] == "akima"]
    anchor = str(shown["anchor"].iloc[0]) if len(shown) else ""
    page = environment.from_string(files.joinpath("report.html.jinja").read_text()).render(
        style=markup(files.joinpath("report.css").read_text()),
        script=markup(files.joinpath("report.js").read_text()),
        manifest=manifest,
        summary=summary.to_dict("records"),
        ap=ap_name(summary),
        classes=[column for column in summary if str(column).startswith("ap_")],
        anchor=anchor,
        deltas=_wide(shown),
        missing=_missing(manifest, records),
        gallery=gallery,
        curves=markup(curves.decode().partition("?>")[2]),
        data={
            "ap": ap_name(summary),
            "anchor": anchor,
            "curves": _curves(summary),
            "deltas": _all_deltas(summary),
            "pictures": [asdict(picture) for picture in gallery.pictures] if gallery else [],
        },
    )
    return page.encode()


def _number(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"


def _wide(deltas: pd.DataFrame) -> list[dict[str, Any]]:
    """A row a codec, as the page's script makes them for the other anchors."""
    rows: dict[str, dict[str, Any]] = {}
    for line in deltas.to_dict("records"):
        row = rows.setdefault(line["codec"], {"codec": line["codec"]})
        row[line["quality"]] = line["bd_rate"]
        row[f"{line['quality']}_note"] = line["note"]
    return list(rows.values())


def _all_deltas(summary: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """The rows of the table of deltas for each anchor."""
    curves = {str(name): lines for name, lines in summary.groupby("codec") if len(lines) > 1}
    tables: dict[str, list[dict[str, Any]]] = {}
    for anchor, its in curves.items():
        tables[anchor] = []
        for codec, lines in curves.items():
            row: dict[str, Any] = {"codec": codec}
            for quality in QUALITIES if codec != anchor else ():
                delta = delta_rate(_points(lines, quality), _points(its, quality))
                row[quality] = _finite(delta.percent)
                row[f"{quality}_note"] = delta.note
            if codec != anchor:
                tables[anchor].append(row)
    return tables


def _points(lines: pd.DataFrame, quality: str) -> list[Point]:
    return [Point(*values) for values in zip(lines["bpp"], lines[quality], strict=True)]


def _curves(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """The rate points of each codec."""
    return [
        {
            "codec": str(codec),
            "published": "published" in set(lines["source"]),
            "points": [
                {"rate": line["rate_point"]} | {key: _finite(line[key]) for key in _SHOWN}
                for line in lines.to_dict("records")
            ],
        }
        for codec, lines in summary.groupby("codec")
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
