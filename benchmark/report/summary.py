"""The tables of a run: a line a rate point, and the Bjontegaard deltas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd

from benchmark.datasets.dataset import Dataset, Picture
from benchmark.metrics.average_precision import AveragePrecision, GroundTruth
from benchmark.metrics.bjontegaard_delta import METHODS, Point, delta_rate
from benchmark.metrics.cityscapes_ap import CityscapesGroundTruth, check_instance_ids
from benchmark.runner import Failed, Runner
from benchmark.store import Record, RunFolder

QUALITIES = ("wap", "psnr")
"""The qualities that Bjontegaard deltas are computed for, by their columns."""

_GROUND_TRUTHS: dict[str, type[GroundTruth] | type[CityscapesGroundTruth]] = {
    "coco": GroundTruth,
    "cityscapes": CityscapesGroundTruth,
}
_AP_NAMES = {"coco": "COCO", "cityscapes": "Cityscapes"}


def check_ap(ap: str, dataset: Dataset) -> None:
    """Raises a `UsageError` if a kind of AP, coco or cityscapes, has no meaning on a data set."""
    if ap == "cityscapes":
        check_instance_ids(dataset)


def ap_name(summary: pd.DataFrame) -> str:
    """Whose average precision a summary holds: COCO or Cityscapes; empty where it has none."""
    kinds = summary["ap"].dropna()
    return "" if kinds.empty else _AP_NAMES[kinds.iloc[0]]


def summarize(
    folder: RunFolder,
    records: Sequence[Record],
    dataset: Dataset,
    pictures: Sequence[Picture],
    runner: Runner,
    *,
    ap: str | None,
) -> pd.DataFrame:
    """A line for each codec and rate point that has all of the images, by falling bpp.

    Without an analysis network (``ap`` None) the average precisions are NaN.

    Columns: codec, rate_point, images, bpp (mean over the images), wap and ap50 (percent), psnr
    (dB, mean), ms_ssim (mean), encode_s, decode_s, analysis_s (means), ap (the kind of average
    precision: coco or cityscapes), ap_CLASS (percent).
    """
    names = {picture.name for picture in pictures}
    frame = pd.DataFrame([vars(record) for record in records if record.image in names])
    if frame.empty:
        return frame
    frame["bpp"] = 8 * frame["bytes"] / (frame["width"] * frame["height"])
    frame = frame.astype({"psnr": float, "ms_ssim": float})
    groups = frame.groupby(["codec", "rate_point"], sort=False)
    columns = ["bpp", "psnr", "ms_ssim", "encode_s", "decode_s", "analysis_s"]
    table = groups[columns].mean()
    table.insert(0, "images", groups.size())
    table = table[table["images"] == len(names)].reset_index()
    table.insert(4, "wap", math.nan)
    table.insert(5, "ap50", math.nan)
    table["ap"] = ap
    if ap:
        table = with_average_precisions(table, folder, dataset, pictures, runner, ap)
    return table.sort_values(["codec", "bpp"], ascending=[True, False], ignore_index=True)


def with_average_precisions(
    table: pd.DataFrame,
    folder: RunFolder,
    dataset: Dataset,
    pictures: Sequence[Picture],
    runner: Runner,
    ap: str,
) -> pd.DataFrame:
    """A summary with the average precisions of the detections that a run folder holds.

    Raises:
        UsageError: if this kind of AP, coco or cityscapes, cannot be computed on the data set.
    """
    found = _average_precisions(folder, table, dataset, pictures, runner, ap)
    classes = {
        f"ap_{category.name}": [its.classes.get(category.name, math.nan) for its in found]
        for category in dataset.categories
    }
    overall = {"wap": [its.wap for its in found], "ap50": [its.ap50 for its in found]}
    return table.assign(**overall, ap=ap, **classes)


def delta_rates(summary: pd.DataFrame, anchor: str) -> pd.DataFrame:
    """The Bjontegaard delta rates of all codecs against an anchor.

    Columns: codec, anchor, quality (wap or psnr), method (akima, pchip, cubic), bd_rate
    (percent), overlap (0 to 1), note (what makes the number doubtful).
    """
    curves = {str(name): lines for name, lines in summary.groupby("codec") if len(lines) > 1}
    rows = [
        {"codec": codec, "anchor": anchor, "quality": quality, "method": method}
        | {"bd_rate": delta.percent, "overlap": delta.overlap, "note": delta.note}
        for codec, lines in curves.items()
        if anchor in curves and codec != anchor
        for quality in QUALITIES
        for method in METHODS
        for delta in [delta_rate(_curve(lines, quality), _curve(curves[anchor], quality), method)]
    ]
    return pd.DataFrame(
        rows, columns=["codec", "anchor", "quality", "method", "bd_rate", "overlap", "note"]
    )


def _curve(lines: pd.DataFrame, quality: str) -> list[Point]:
    return [Point(*values) for values in zip(lines["bpp"], lines[quality], strict=True)]


def _average_precisions(
    folder: RunFolder,
    table: pd.DataFrame,
    dataset: Dataset,
    pictures: Sequence[Picture],
    runner: Runner,
    ap: str,
) -> list[AveragePrecision]:
    truth = _GROUND_TRUTHS[ap](dataset, pictures)
    keys = list(zip(table["codec"], table["rate_point"], strict=True))
    judged = {}
    for outcome in runner.run(partial(_judge, truth, folder), keys):
        if isinstance(outcome, Failed):
            raise RuntimeError(f"no average precision for {outcome.task}: {outcome.reason}")
        judged[outcome.task] = outcome.result
    return [judged[key] for key in keys]


def _judge(
    truth: GroundTruth | CityscapesGroundTruth, folder: RunFolder, key: tuple[str, str]
) -> AveragePrecision:
    return truth.average_precision(folder.detections(*key))
