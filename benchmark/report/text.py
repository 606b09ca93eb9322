"""The tables of a run as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from benchmark.evaluation.summary import ap_name, remarks

_COLUMNS = {
    "codec": "codec",
    "rate_point": "rate point",
    "bpp": "bpp",
    "wap": "wAP/%",
    "ap50": "AP50/%",
    "psnr": "PSNR/dB",
    "ms_ssim": "MS-SSIM",
    "encode_s": "enc/s",
    "decode_s": "dec/s",
}
_FORMATS = {
    "bpp": "{:.4f}",
    "wap": "{:.2f}",
    "ap50": "{:.2f}",
    "psnr": "{:.2f}",
    "ms_ssim": "{:.4f}",
    "encode_s": "{:.3f}",
    "decode_s": "{:.3f}",
}


def summary_text(summary: pd.DataFrame) -> str:
    """A line a codec and rate point, and whose average precision it is."""
    shown = pd.DataFrame({_COLUMNS[column]: _format(summary, column) for column in _COLUMNS})
    shown.loc[shown["codec"].duplicated(), "codec"] = ""
    table = shown.to_string(index=False)
    ap = ap_name(summary)
    return f"{table}\nwAP and AP50: average precision as {ap} computes it." if ap else table


def delta_rates_text(deltas: pd.DataFrame, anchor: str) -> str:
    """A line a codec: its Bjontegaard delta rates against the anchor, and what to doubt."""
    if deltas.empty:
        return f"No Bjontegaard deltas: {anchor} has no curve in this run."
    rows = []
    for codec, lines in deltas[deltas["method"] == "akima"].groupby("codec"):
        by_quality = {line["quality"]: line for line in lines.to_dict("records")}
        cells = [_delta(by_quality[quality]) for quality in _QUALITIES]
        doubts = [
            f"{label}: {remark}"
            for quality, label in _QUALITIES.items()
            if (remark := remarks(by_quality[quality]))
        ]
        rows.append([codec, *cells, "; ".join(doubts)])
    labels = [f"at equal {label}" for label in _QUALITIES.values()]
    shown = pd.DataFrame(rows, columns=["codec", *labels, "remarks"])
    padded = shown.to_string(index=False, justify="left", formatters=_padded(shown))
    table = "\n".join(line.rstrip() for line in padded.splitlines())
    return (
        f"Bitrate against {anchor} in percent (Bjontegaard delta, Akima):\n{table}\n"
        "±: the most that a single rate point changes the delta, in percentage points."
    )


_QUALITIES = {"wap": "wAP", "psnr": "PSNR"}


def _delta(delta: Mapping[Any, Any]) -> str:
    if pd.isna(delta["bd_rate"]):
        return "-"
    uncertainty = delta["uncertainty"]
    return f"{delta['bd_rate']:+.1f} ± " + ("?" if pd.isna(uncertainty) else f"{uncertainty:.1f}")


def _padded(table: pd.DataFrame) -> dict[str, Callable[[str], str]]:
    """To align the remarks, and the codecs, on the left."""
    widths = {name: table[name].str.len().max() for name in ("codec", "remarks")}
    return {name: f"{{:<{width}}}".format for name, width in widths.items()}


def _format(summary: pd.DataFrame, column: str) -> list[str]:
    if column not in _FORMATS:
        return [str(value) for value in summary[column]]
    pattern = _FORMATS[column]
    return ["-" if pd.isna(value) else pattern.format(value) for value in summary[column]]
