"""Bootstrap intervals of the rate points of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from benchmark.metrics.bootstrap import Resampled, intervals


def with_intervals(summary: pd.DataFrame, resampled: Sequence[Resampled]) -> pd.DataFrame:
    """Return a table of rate points with the columns wap_low and wap_high, a 95 % interval.

    Args:
        summary: rate points.
        resampled: the same rate points; none for what the table holds already, or NaN.
    """
    if not resampled:
        unknown = [name for name in ("wap_low", "wap_high") if name not in summary]
        return summary.assign(**dict.fromkeys(unknown, math.nan))
    table = intervals(resampled)
    return summary.assign(
        wap_low=table["wap_low"].to_numpy(), wap_high=table["wap_high"].to_numpy()
    )
