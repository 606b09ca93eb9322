"""Scaled coding in the tables: the scale of each rate point, and whose hulls it is on."""

from __future__ import annotations

import pandas as pd

from benchmark.evaluation.curves import compared_qualities, is_hull, on_curve
from benchmark.metrics.qualities import QUALITIES
from benchmark.rate_point import scale_in


def with_scales(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a table of rate points with the columns scale and hull, if some scale is not 1.

    scale is what both sides of the images were multiplied by before they were coded. hull names,
    by their columns, the qualities whose curve goes through the rate point, where the codec's
    curves are convex hulls; it is empty elsewhere.
    """
    scales = summary["rate_point"].map(scale_in)
    if (scales == 1).all():
        return summary
    table = summary.assign(scale=scales, hull="")
    for _, rows in table.groupby("codec"):
        for quality in compared_qualities(table) if is_hull(rows) else ():
            table.loc[on_curve(rows, quality).index, "hull"] += f" {quality.column}"
    return table.assign(hull=table["hull"].str.strip())


def shown_scale(scale: float) -> str:
    """Return a value of the column scale for people."""
    return "-" if pd.isna(scale) else f"{scale:g}"


def shown_hulls(hull: object) -> str:
    """Return a value of the column hull for people, by the labels of the qualities."""
    columns = hull.split() if isinstance(hull, str) else ()  # an empty one comes back as NaN
    return ", ".join(QUALITIES[column].label for column in columns) or "-"


def scales_note(summary: pd.DataFrame) -> str:
    """Return what a reader has to know of scaled coding in a table; empty without any."""
    if "scale" not in summary:
        return ""
    scales = ", ".join(f"{scale:g}" for scale in sorted(set(summary["scale"].dropna()))[::-1])
    hulls = [str(codec) for codec, rows in summary.groupby("codec") if is_hull(rows)]
    about = f"Scaled coding (scales {scales}): images were made smaller before coding and enlarged "
    about += "after decoding, rates are over their own pixels"
    if hulls:
        about += f"; the curve of {', '.join(hulls)} is the upper convex hull of the rate points "
        about += "at all scales, of each quality its own"
    return about
