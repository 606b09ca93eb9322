"""Curves as CompressAI publishes them, to be drawn by ``python -m compressai.utils.plot``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pandas as pd

from benchmark.evaluation.complexity import COMPLEXITY
from benchmark.evaluation.curves import curve_label, without_points_off_hulls
from benchmark.metrics.qualities import QUALITIES

_METRICS = {
    "bpp": "bpp",
    **{name: quality.names[0] for name, quality in QUALITIES.items() if quality.names},
    "encode_s": "encoding_time",
    "decode_s": "decoding_time",
    **{its.column: its.column for its in COMPLEXITY},
}
"""CompressAI's names of the columns; what it has no name for keeps its own."""


def compressai_results(
    summary: pd.DataFrame, commands: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return the curve of each codec as a JSON file's content, by the codec's name.

    ``python -m compressai.utils.plot -f FILE... -o out.png -m METRIC`` draws it; METRIC is psnr
    (the default), ms-ssim, wap or ap50. The tool writes "[dB]" beside every metric's name, also
    beside wap and ap50, which are in percent. A metric that a rate point lacks is left out. Of
    scaled coding there are the points of one convex hull (`without_points_off_hulls`).

    Args:
        summary: rate points.
        commands: those that made each codec's curve; they become its description.
    """
    drawn = without_points_off_hulls(summary).index
    return {
        str(codec): json.dumps(
            {
                "name": curve_label(lines),
                "description": "; ".join(commands.get(str(codec), ())),
                "results": _results(lines[lines.index.isin(drawn)].sort_values("bpp")),
            },
            indent=2,
            allow_nan=False,
        )
        + "\n"
        for codec, lines in summary.groupby("codec")
    }


def _results(lines: pd.DataFrame) -> dict[str, list[float]]:
    return {
        name: lines[column].tolist()
        for column, name in _METRICS.items()
        if column in lines and lines[column].notna().all()
    }
