"""Curves as CompressAI publishes them, to be drawn by ``python -m compressai.utils.plot``."""

from __future__ import annotations

import json

import pandas as pd

from benchmark.evaluation.summary import curve_label

METRICS = {
    "bpp": "bpp",
    "psnr": "psnr-rgb",
    "ms_ssim": "ms-ssim-rgb",
    "wap": "wap",
    "ap50": "ap50",
    "encode_s": "encoding_time",
    "decode_s": "decoding_time",
}
"""CompressAI's names of a summary's columns; wap and ap50 have none and keep theirs."""


def compressai_results(summary: pd.DataFrame, description: str) -> dict[str, str]:
    """The curve of each codec as a JSON file's content, by the codec's name.

    ``python -m compressai.utils.plot -f FILE... -o out.png -m METRIC`` draws it; METRIC is psnr
    (the default), ms-ssim, wap or ap50. The tool writes "[dB]" beside every metric's name, also
    beside wap and ap50, which are in percent. A metric that a rate point lacks is left out.

    Args:
        summary: as `benchmark.evaluation.summary.summarize` makes it.
        description: what the files say about the run.
    """
    return {
        str(codec): json.dumps(
            {
                "name": curve_label(lines),
                "description": description,
                "results": _results(lines.sort_values("bpp")),
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
        for column, name in METRICS.items()
        if column in lines and lines[column].notna().all()
    }
