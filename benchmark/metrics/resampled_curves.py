"""Curves in bootstrap resamples: intervals of Bjontegaard deltas and of the rate for a quality."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.metrics.bjontegaard_delta import AkimaCurve, Point
from benchmark.metrics.bootstrap import Resampled, interval
from benchmark.metrics.convex_hull import upper_hull

MOST_UNDEFINED = 0.05
"""The part of the resamples without a value, above which its interval says nothing."""

_DELTA_COLUMNS = ["codec", "anchor", "bd_rate", "bd_rate_low", "bd_rate_high", "p", "undefined"]


class ResampledCurves:
    """The curves of all codecs in all resamples, interpolated once."""

    def __init__(self, points: Sequence[Resampled], hulls: Collection[str] = ()) -> None:
        """Interpolate.

        Args:
            points: the rate points of all codecs, of the same resamples; a codec with one rate
                point has no curve.
            hulls: the codecs whose curve is the convex hull of their points, in each resample anew.
        """
        codecs: dict[str, list[Resampled]] = {}
        for point in points:
            codecs.setdefault(point.codec, []).append(point)
        self._curves = {
            codec: _curves(its, codec in hulls) for codec, its in codecs.items() if len(its) > 1
        }

    def delta_intervals(self) -> pd.DataFrame:
        """Return the intervals of all codecs' Bjontegaard delta rates against one another.

        The deltas are at equal wAP, with Akima's interpolation; the intervals are 95 % percentile
        intervals.

        Columns: codec, anchor, bd_rate, bd_rate_low, bd_rate_high (percent), p (that of the
        hypothesis that both need the same rate, two-sided, from the resamples' signs), undefined
        (the part of the resamples without a delta rate, 0 to 1; the interval is that of the
        others).
        """
        rows = []
        for first, second in itertools.combinations(self._curves, 2):
            pairs = zip(self._curves[first], self._curves[second], strict=True)
            difference = np.array([one.log_difference(other) for one, other in pairs], np.float64)
            for codec, anchor, sign in ((first, second, 1), (second, first, -1)):
                deltas = 100 * (10.0 ** (sign * difference) - 1)
                rows.append(
                    {
                        **{"codec": codec, "anchor": anchor, **interval("bd_rate", deltas)},
                        "p": _p_value(difference[1:]),
                        "undefined": float(np.isnan(deltas[1:]).mean()),
                    }
                )
        return pd.DataFrame(rows, columns=_DELTA_COLUMNS)

    def rates(self, codec: str, wap: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a codec's bits per pixel at a wAP, in each resample; NaN beyond its curve.

        Args:
            codec: one that has a curve.
            wap: in percent, of shape 1 + resamples.
        """
        curves = self._curves[codec]
        log_rates = [curve.log_rate(its) for curve, its in zip(curves, wap, strict=True)]
        return 10.0 ** np.array(log_rates)


def _p_value(differences: NDArray[np.float64]) -> float:
    """Two-sided, from the signs of a difference in the resamples; NaN without any.

    Twice the smaller tail, each with one resample more (Davison and Hinkley, Bootstrap Methods and
    their Application, 1997, section 4.2), so never zero.
    """
    known = differences[~np.isnan(differences)]
    if not known.size:
        return float("nan")
    tail = min(np.count_nonzero(known <= 0), np.count_nonzero(known >= 0))
    return float(min(1.0, 2 * (tail + 1) / (known.size + 1)))


def _curves(points: Sequence[Resampled], hull: bool) -> list[AkimaCurve]:
    """A codec's curve in each resample."""
    bpp, wap = (
        np.array([getattr(point, name) for point in points]).T.tolist() for name in ("bpp", "wap")
    )
    drawn = (list(map(Point, *values)) for values in zip(bpp, wap, strict=True))
    return [AkimaCurve(upper_hull(its) if hull else its) for its in drawn]
