"""What a rate buys: the bits for a share of the uncompressed accuracy, and a point's own delta."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.evaluation.curves import curves, points
from benchmark.metrics.bjontegaard_delta import AkimaCurve
from benchmark.metrics.bootstrap import Resampled, interval
from benchmark.metrics.qualities import QUALITIES
from benchmark.metrics.resampled_curves import MOST_UNDEFINED, ResampledCurves
from benchmark.run.record import UNCOMPRESSED

SHARES = (0.99, 0.95)
"""The parts of the uncompressed images' wAP that are asked for."""

_COLUMNS = ["codec", "share", "wap", "bpp", "low", "high", "note"]


def needed_rates(
    summary: pd.DataFrame, resampled: ResampledCurves, original: Resampled | None
) -> pd.DataFrame:
    """Return the rate at which each codec's curve reaches a share of the uncompressed wAP.

    Between rate points the logarithm of the rate is interpolated as a function of wAP (Akima), as
    for Bjontegaard deltas.

    Columns: codec, share (`SHARES`), wap (percent: share x that of the uncompressed images), bpp
    (NaN where the curve does not reach it), low and high (95 % bootstrap interval; each resample
    has its own uncompressed wAP), note (why there is no rate, or no interval).

    Args:
        summary: rate points, with the column ``source``.
        resampled: their curves in bootstrap resamples; empty for no intervals.
        original: the uncompressed images in the resamples; None for no intervals.

    Returns:
        No row without a wAP of the uncompressed images.
    """
    whole = summary.loc[summary["codec"] == UNCOMPRESSED, "wap"].dropna()
    rows = []
    for codec, own in curves(summary).items() if len(whole) else ():
        known = points(own, QUALITIES["wap"])
        for share in SHARES:
            wap = share * float(whole.iloc[0])
            bpp = 10 ** AkimaCurve(known).log_rate(wap)
            row = {"codec": codec, "share": share, "wap": wap, "bpp": bpp, "note": ""}
            if math.isnan(bpp):
                reached = max((point.quality for point in known), default=math.nan)
                lowest = min((point.bpp for point in known), default=math.nan)
                row["note"] = (
                    f"the curve ends at {reached:.1f} %"
                    if not reached >= wap
                    else f"reached at the lowest rate, {lowest:.3g} bpp, already"
                )
            elif original is not None:
                row |= _interval(resampled.rates(codec, share * original.wap))
            rows.append(row)
    return pd.DataFrame(rows, columns=_COLUMNS)


def shown_needed_rates(needed: pd.DataFrame) -> pd.DataFrame:
    """Return `needed_rates` for people: one row per codec, one column per share, all text.

    A cell is "0.366 (0.321 to 0.415)", or says why there is no rate.
    """
    rows: dict[str, dict[str, str]] = {}
    for row in needed.to_dict("records"):
        heading = f"{row['share']:.0%} = {row['wap']:.1f} %"
        rows.setdefault(row["codec"], {"codec": row["codec"]})[heading] = _text(row)
    return pd.DataFrame(list(rows.values()))


def _text(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["bpp"]):
        return f"- {row['note']}"
    if pd.isna(row["low"]):
        return f"{row['bpp']:.3f}"
    return f"{row['bpp']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def point_deltas(summary: pd.DataFrame, anchor: str) -> pd.DataFrame:
    """Return the rate of single points relative to an anchor's curve at the same wAP.

    Columns: codec, rate_point, anchor, percent (negative: fewer bits; NaN where the curve does not
    reach the point's wAP). No row without a curve of the anchor, and none of its own points.
    """
    known = curves(summary)
    if anchor not in known:
        return pd.DataFrame(columns=["codec", "rate_point", "anchor", "percent"])
    curve = AkimaCurve(points(known[anchor], QUALITIES["wap"]))
    others = summary[~summary["codec"].isin([anchor, UNCOMPRESSED])]
    logs = [curve.log_rate(wap) for wap in others["wap"]]
    percent = 100 * (others["bpp"] / 10 ** np.array(logs, np.float64) - 1)
    return (
        others[["codec", "rate_point"]]
        .assign(anchor=anchor, percent=percent)
        .reset_index(drop=True)
    )


def _interval(rates: NDArray[np.float64]) -> Mapping[str, object]:
    unreached = float(np.isnan(rates[1:]).mean())
    if unreached > MOST_UNDEFINED:
        return {"note": f"no interval: not reached in {unreached:.0%} of the resamples"}
    found = interval("bpp", rates)
    return {"low": found["bpp_low"], "high": found["bpp_high"]}
