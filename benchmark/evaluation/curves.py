"""Curves: the rows of a table of rate points that belong to one codec."""

from __future__ import annotations

import math

import pandas as pd

from benchmark.metrics.bjontegaard_delta import Point
from benchmark.metrics.convex_hull import upper_hull
from benchmark.metrics.ground_truth import AP_NAMES
from benchmark.metrics.qualities import COMPARED, QUALITIES, Quality

MEASURED, PUBLISHED, EXTERNAL = "measured", "published", "external"
"""What the column ``source`` holds: of this run, of the run that the package carries, or read
from a file of others."""


HULL, OFF_HULL = "convex hull", "off the convex hull"
"""What legends call the curve of a codec that was measured at several scales, and other points."""


def ap_name(summary: pd.DataFrame) -> str:
    """Return whose average precision of masks a table holds, COCO or Cityscapes; or nothing."""
    kinds = summary["ap"].dropna() if "ap" in summary else pd.Series(dtype=object)
    return "" if kinds.empty else AP_NAMES[kinds.iloc[0]]


def measured_qualities(summary: pd.DataFrame) -> list[Quality]:
    """Return the qualities that some row of a table has a value of."""
    return [
        its for name, its in QUALITIES.items() if name in summary and summary[name].notna().any()
    ]


def main_qualities(summary: pd.DataFrame) -> list[Quality]:
    """Return those of `measured_qualities` that stand in the table of rate points."""
    return [quality for quality in measured_qualities(summary) if not quality.detail]


def compared_qualities(summary: pd.DataFrame) -> list[Quality]:
    """Return those of `measured_qualities` that have curves and Bjontegaard deltas."""
    return [quality for quality in measured_qualities(summary) if quality in COMPARED]


def curves(summary: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each codec that has several rate points; external ones come last."""
    found = {str(codec): rows for codec, rows in summary.groupby("codec") if len(rows) > 1}
    return dict(sorted(found.items(), key=lambda item: is_external(item[1])))


def single_points(summary: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the row of each codec that has one rate point, such as the original images."""
    return {str(codec): rows for codec, rows in summary.groupby("codec") if len(rows) == 1}


def points(rows: pd.DataFrame, quality: Quality) -> list[Point]:
    """Return a codec's curve so that a higher quality is better (`Quality.rising`).

    Rate points without a value, such as the PSNR of exact images, are no points of the curve. Of a
    codec that was measured at several scales, the curve is the convex hull (`is_hull`).
    """
    known = [point for point in _all_points(rows, quality) if math.isfinite(point.quality)]
    return upper_hull(known) if is_hull(rows) else known


def is_hull(rows: pd.DataFrame) -> bool:
    """Return whether a codec's curve is the upper convex hull of its rate points at all scales.

    Each quality has a hull of its own: what is best at equal wAP is not so at equal PSNR.
    """
    return "scale" in rows and rows["scale"].nunique() > 1


def on_curve(rows: pd.DataFrame, quality: Quality) -> pd.DataFrame:
    """Return those of a codec's rows that its curve of a quality goes through."""
    if not is_hull(rows):
        return rows
    hull = points(rows, quality)
    return rows[[point in hull for point in _all_points(rows, quality)]]


def without_points_off_hulls(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are on the curve of the first compared quality: wAP where there is one.

    All of them where no codec was measured at several scales.
    """
    if "scale" not in summary or not (compared := compared_qualities(summary)):
        return summary
    kept = [on_curve(rows, compared[0]).index for _, rows in summary.groupby("codec")]
    return summary[summary.index.isin([label for index in kept for label in index])]


def is_external(rows: pd.DataFrame) -> bool:
    """Return whether a codec's rows come from a file of others."""
    return set(rows["source"]) == {EXTERNAL}


def curve_label(rows: pd.DataFrame) -> str:
    """Return the codec's name, where its curve is from if not this run, and if it is a hull."""
    (codec,), (source,) = set(rows["codec"]), set(rows["source"])
    what = [*([] if source == MEASURED else [source]), *([HULL] if is_hull(rows) else [])]
    return f"{codec} ({', '.join(what)})" if what else str(codec)


def _all_points(rows: pd.DataFrame, quality: Quality) -> list[Point]:
    values = rows[quality.column] if quality.column in rows else [math.nan] * len(rows)
    return [
        Point(bpp, quality.rising(value)) for bpp, value in zip(rows["bpp"], values, strict=True)
    ]
