"""The tables of a run as text for a terminal."""

from __future__ import annotations

import pandas as pd

from benchmark.report.summary import ap_name

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
    default = deltas[deltas["method"] == "akima"]
    wide = default.pivot(index="codec", columns="quality", values="bd_rate")
    shown = pd.DataFrame(index=wide.index)
    for quality, label in (("wap", "at equal wAP"), ("psnr", "at equal PSNR")):
        shown[label] = ["-" if pd.isna(v) else f"{v:+.1f} %" for v in wide[quality]]
    notes = default.pivot(index="codec", columns="quality", values="note")
    shown["remarks"] = [
        "; ".join(f"{label}: {note}" for label, note in (("wAP", wap), ("PSNR", psnr)) if note)
        for wap, psnr in zip(notes["wap"], notes["psnr"], strict=True)
    ]
    table = shown.reset_index().to_string(index=False, justify="left")
    return f"Bitrate against {anchor} (Bjontegaard delta, Akima):\n{table}"


def _format(summary: pd.DataFrame, column: str) -> list[str]:
    if column not in _FORMATS:
        return [str(value) for value in summary[column]]
    pattern = _FORMATS[column]
    return ["-" if pd.isna(value) else pattern.format(value) for value in summary[column]]
