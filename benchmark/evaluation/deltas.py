"""The tables of Bjontegaard delta rates, and what is to be doubted about each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.evaluation.curves import compared_qualities, curves, points
from benchmark.metrics.bjontegaard_delta import METHODS, Point, delta_rate, delta_uncertainty
from benchmark.metrics.qualities import QUALITIES
from benchmark.metrics.resampled_curves import MOST_UNDEFINED, ResampledCurves

UNDETERMINED = "undetermined"
"""What stands in a table in the place of a delta that `is_undetermined`."""

_WITHIN = "within the uncertainty"
_DOUBLED = 100.0  # percent
_COLUMNS = ["codec", "anchor", "quality", "method", "bd_rate", "uncertainty", "low", "high"]
_COLUMNS += ["overlap", "note", "p"]


def delta_rates(
    summary: pd.DataFrame, anchors: Sequence[str], resampled: ResampledCurves | None = None
) -> pd.DataFrame:
    """Return the Bjontegaard delta rates of all codecs against each anchor.

    Columns: codec, anchor, quality (its column), method (akima, pchip, cubic), bd_rate (percent),
    uncertainty (percentage points: how far one rate point changes it, see `delta_uncertainty`),
    low and high (percent: the 95 % bootstrap interval over the images; of wAP and Akima's
    interpolation only), overlap (0 to 1), note (what makes the number doubtful), p (of the same
    resamples: that of the hypothesis that both codecs need the same rate, two-sided).

    Args:
        summary: rate points, with the column ``source``.
        anchors: the codecs that the others are compared to.
        resampled: the curves in bootstrap resamples; None for no intervals.
    """
    rows_of = curves(summary)
    rows = [
        {
            "codec": codec,
            "anchor": anchor,
            "quality": quality.column,
            "method": method,
            **_delta(points(rows_of[codec], quality), points(rows_of[anchor], quality), method),
        }
        for anchor in anchors
        for codec in rows_of
        if anchor in rows_of and codec != anchor
        for quality in compared_qualities(summary)
        for method in METHODS
    ]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    return _with_intervals(table, resampled.delta_intervals()) if resampled else table


def is_within_uncertainty(delta: Mapping[Any, Any]) -> bool:
    """Return whether nothing follows from a row of `delta_rates`.

    That is so where the delta's magnitude is not above its uncertainty, or its interval contains
    zero.
    """
    if pd.isna(delta["bd_rate"]):
        return False
    return not abs(delta["bd_rate"]) > delta["uncertainty"] or delta["low"] <= 0 <= delta["high"]


def is_undetermined(delta: Mapping[Any, Any]) -> bool:
    """Return whether a row of `delta_rates` says nothing at all.

    A single rate point then changes it by more than itself and by more than the anchor's whole
    rate, as it happens where two curves share a sliver of the quality.
    """
    return bool(delta["uncertainty"] > max(abs(delta["bd_rate"]), _DOUBLED))


def remarks(delta: Mapping[Any, Any]) -> str:
    """Return what there is to doubt about a row of `delta_rates`; empty if nothing."""
    # an empty note comes back from a CSV file as NaN
    note = "" if pd.isna(delta["note"]) else delta["note"]
    doubt = _WITHIN if is_within_uncertainty(delta) else ""
    if is_undetermined(delta):
        doubt = (
            f"one rate point changes {delta['bd_rate']:+.0f} % by {delta['uncertainty']:.0f} "
            "percentage points"
        )
    return "; ".join(filter(None, (doubt, note)))


def delta_text(delta: Mapping[Any, Any]) -> str:
    """Return a row of `delta_rates` as "-5.0 ± 1.2"; "-" where there is no delta."""
    if pd.isna(delta["bd_rate"]):
        return "-"
    if is_undetermined(delta):
        return UNDETERMINED
    uncertainty = delta["uncertainty"]
    return f"{delta['bd_rate']:+.1f} ± " + ("?" if pd.isna(uncertainty) else f"{uncertainty:.1f}")


def label_of(quality: str) -> str:
    """Return what people call the quality of a row of `delta_rates`."""
    return QUALITIES[quality].label


def _delta(codec: Sequence[Point], anchor: Sequence[Point], method: str) -> dict[str, Any]:
    delta = delta_rate(codec, anchor, method)
    return {
        "bd_rate": delta.percent,
        "uncertainty": delta_uncertainty(codec, anchor, method).percentage_points,
        "overlap": delta.overlap,
        "note": delta.note,
    }


def _with_intervals(table: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Give the deltas their intervals, or a note where too many resamples have no delta."""
    for row in found.to_dict("records"):
        at = (table["codec"] == row["codec"]) & (table["anchor"] == row["anchor"])
        at &= (table["quality"] == "wap") & (table["method"] == "akima") & table["bd_rate"].notna()
        if row["undefined"] <= MOST_UNDEFINED:
            found_here = [row["bd_rate_low"], row["bd_rate_high"], row["p"]]
            table.loc[at, ["low", "high", "p"]] = found_here
        else:
            reason = f"no interval: no delta in {row['undefined']:.0%} of the resamples"
            table.loc[at, "note"] = [
                f"{note}; {reason}" if note else reason for note in table.loc[at, "note"]
            ]
    return table
