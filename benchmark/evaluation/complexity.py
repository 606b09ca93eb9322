"""The columns of a table of rate points that say what learned codecs compute."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from benchmark.run.manifest import Manifest


@dataclass(frozen=True)
class ComplexityColumn:
    """A column of the table, and how it is shown.

    Attributes:
        column: in ``summary.csv``, and the field of `benchmark.run.manifest.ComplexityEntry`.
        title: with the unit that is shown.
        unit: what a value is divided by to be shown.
    """

    column: str
    title: str
    unit: float

    def text(self, value: float) -> str:
        """Return a value as it is shown; of a codec without networks, a dash."""
        return "-" if pd.isna(value) else f"{value / self.unit:.3g}"


COMPLEXITY = tuple(
    ComplexityColumn(f"{side}_{name}", f"{side} / {title}", unit)
    for name, title, unit in (("parameters", "M parameters", 1e6), ("kmac", "kMAC per pixel", 1))
    for side in ("encoder", "decoder")
)


def with_complexity(summary: pd.DataFrame, manifests: Mapping[str, Manifest]) -> pd.DataFrame:
    """Return a table of rate points with the columns of `COMPLEXITY` at its end.

    NaN where a codec has no networks, or the run folder was made before they were counted.

    Args:
        summary: rate points.
        manifests: of the runs that they are from, by the column ``source``.
    """
    entries = [
        manifests[source].codecs[codec].complexity.get(rate_point)
        if codec in manifests[source].codecs
        else None
        for codec, rate_point, source in zip(
            summary["codec"], summary["rate_point"], summary["source"], strict=True
        )
    ]
    values = {
        its.column: [getattr(entry, its.column) if entry else math.nan for entry in entries]
        for its in COMPLEXITY
    }
    return summary.assign(**values)


def measured_complexity(summary: pd.DataFrame) -> list[ComplexityColumn]:
    """Return the columns that some row of a table has a value of."""
    return [
        its for its in COMPLEXITY if its.column in summary and summary[its.column].notna().any()
    ]


def complexity_lines(summary: pd.DataFrame) -> list[str]:
    """Return a line per learned codec, or per group of its rate points that are alike."""
    columns = [its.column for its in measured_complexity(summary)]
    if not columns:
        return []
    lines = []
    for codec, rows in summary.dropna(subset=columns).groupby("codec"):
        groups = [alike for _, alike in rows.groupby(columns, sort=False)]
        for alike in groups:
            text = {its.column: its.text(alike[its.column].iloc[0]) for its in COMPLEXITY}
            points = " ".join(alike["rate_point"])
            which = f"{codec} {points}" if len(groups) > 1 else str(codec)
            lines.append(
                f"{which}: {text['encoder_parameters']} M parameters and {text['encoder_kmac']} "
                f"kMAC per pixel to encode, {text['decoder_parameters']} M and "
                f"{text['decoder_kmac']} to decode"
            )
    return lines
