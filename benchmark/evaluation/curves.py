"""Curves: the rows of a table of rate points that belong to one codec."""

from __future__ import annotations

import math

import pandas as pd

from benchmark.metrics.bjontegaard_delta import Point
from benchmark.metrics.ground_truth import AP_NAMES
from benchmark.metrics.qualities import COMPARED, QUALITIES, Quality

MEASURED, PUBLISHED, EXTERNAL = "measured", "published", "external"
"""What the column ``source`` holds: of this run, of the run that the package carries, or read
from a file of others."""


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

    Rate points without a value, such as the PSNR of exact images, are no points of the curve.
    """
    values = rows[quality.column] if quality.column in rows else [math.nan] * len(rows)
    return [
        Point(bpp, quality.rising(value))
        for bpp, value in zip(rows["bpp"], values, strict=True)
        if math.isfinite(value)
    ]


def is_external(rows: pd.DataFrame) -> bool:
    """Return whether a codec's rows come from a file of others."""
    return set(rows["source"]) == {EXTERNAL}


def curve_label(rows: pd.DataFrame) -> str:
    """Return the codec's name, and where its curve is from if not from this run."""
    (codec,), (source,) = set(rows["codec"]), set(rows["source"])
    return str(codec) if source == MEASURED else f"{codec} ({source})"
