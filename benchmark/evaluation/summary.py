"""The tables of a run: a line a rate point, and the Bjontegaard deltas."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from benchmark.datasets.dataset import Dataset, Picture
from benchmark.metrics.average_precision import AveragePrecision, GroundTruth, coco_result
from benchmark.metrics.bjontegaard_delta import METHODS, Point, delta_rate, delta_uncertainty
from benchmark.metrics.bootstrap import (
    RESAMPLES,
    RatePoint,
    Resampled,
    delta_intervals,
    draw,
    intervals,
    resample,
)
from benchmark.metrics.cityscapes_ap import CityscapesGroundTruth, check_instance_ids
from benchmark.run.run_folder import Record, RunFolder
from benchmark.runner import Failed, Result, Runner, Task

QUALITIES = ("wap", "psnr")
"""The qualities that Bjontegaard deltas are computed for, by their columns."""

EXTERNAL = "external"
"""What the column ``source`` holds for curves from elsewhere."""

_GROUND_TRUTHS: dict[str, type[GroundTruth] | type[CityscapesGroundTruth]] = {
    "coco": GroundTruth,
    "cityscapes": CityscapesGroundTruth,
}
_WITHIN = "within the uncertainty"
_MOST_UNDEFINED = 0.05
"""The part of the resamples without a delta, above which their interval says nothing."""

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


def bootstrapped(
    summary: pd.DataFrame,
    folders: Mapping[str, RunFolder],
    dataset: Dataset,
    pictures: Sequence[Picture],
    runner: Runner,
) -> list[Resampled]:
    """The rate points of a summary in 1,000 bootstrap resamples of its images.

    None without average precisions, of a single image, and for Cityscapes' AP: the bootstrap
    knows COCO's only.

    Args:
        summary: as `with_published_anchor` leaves it.
        folders: the run folder of each of its sources, measured or published.
        dataset, pictures: what the summary is over.
        runner: where to work.
    """
    if set(summary["ap"].dropna()) != {"coco"} or len(pictures) < 2:
        return []
    truth = GroundTruth(dataset, pictures).annotations
    rates: dict[tuple[str, str, str], dict[int, float]] = {}
    for source, folder in folders.items():
        for record in folder.records():
            bpp = 8 * record.bytes / (record.width * record.height)
            rates.setdefault((source, *record.key[:2]), {})[record.image_id] = bpp
    keys = list(zip(summary["source"], summary["codec"], summary["rate_point"], strict=True))
    work = partial(_resample, truth, folders, {key: rates[key] for key in keys})
    return _all_results(runner, work, keys, "bootstrap interval")


def with_intervals(summary: pd.DataFrame, resampled: Sequence[Resampled]) -> pd.DataFrame:
    """A summary with the columns wap_low and wap_high, a 95 % interval in percent.

    Args:
        summary: as `with_published_anchor` leaves it.
        resampled: its rate points; none for what the summary holds already, or NaN.
    """
    if not resampled:
        unknown = [name for name in ("wap_low", "wap_high") if name not in summary]
        return summary.assign(**dict.fromkeys(unknown, math.nan))
    table = intervals(resampled)
    return summary.assign(
        wap_low=table["wap_low"].to_numpy(), wap_high=table["wap_high"].to_numpy()
    )


def delta_rates(
    summary: pd.DataFrame, anchor: str, resampled: Sequence[Resampled] = ()
) -> pd.DataFrame:
    """The Bjontegaard delta rates of all codecs against an anchor.

    Columns: codec, anchor, quality (wap or psnr), method (akima, pchip, cubic), bd_rate
    (percent), uncertainty (percentage points: how far one rate point changes it, see
    `delta_uncertainty`), low and high (percent: the 95 % bootstrap interval over the images; of
    wAP and Akima's interpolation only), overlap (0 to 1), note (what makes the number doubtful).

    Args:
        summary: as `summarize` makes it.
        anchor: the codec that the others are compared to.
        resampled: the rate points of the summary; none for no intervals.
    """
    return all_delta_rates(summary, [anchor], resampled)


def all_delta_rates(
    summary: pd.DataFrame, anchors: Sequence[str], resampled: Sequence[Resampled] = ()
) -> pd.DataFrame:
    """`delta_rates` against several anchors, one after the other."""
    lines = curves(summary)
    rows = [
        {
            **{"codec": codec, "anchor": anchor, "quality": quality, "method": method},
            **_delta(points(lines[codec], quality), points(lines[anchor], quality), method),
        }
        for anchor in anchors
        for codec in lines
        if anchor in lines and codec != anchor
        for quality in QUALITIES
        for method in METHODS
    ]
    table = pd.DataFrame(rows, columns=_DELTA_COLUMNS)
    return _with_delta_intervals(table, delta_intervals(resampled))


def is_within_uncertainty(delta: Mapping[Any, Any]) -> bool:
    """Whether a line of `delta_rates` has a delta from which nothing follows.

    Its magnitude is not above its uncertainty, or its interval contains zero.
    """
    if pd.isna(delta["bd_rate"]):
        return False
    return not abs(delta["bd_rate"]) > delta["uncertainty"] or delta["low"] <= 0 <= delta["high"]


def remarks(delta: Mapping[Any, Any]) -> str:
    """What there is to doubt about a line of `delta_rates`; empty if nothing."""
    # an empty note comes back from a CSV file as NaN
    note = "" if pd.isna(delta["note"]) else delta["note"]
    return "; ".join(filter(None, (_WITHIN if is_within_uncertainty(delta) else "", note)))


def curves(summary: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The lines of each codec that has more than one rate point; external ones come last."""
    found = {str(codec): lines for codec, lines in summary.groupby("codec") if len(lines) > 1}
    return dict(sorted(found.items(), key=lambda item: is_external(item[1])))


def points(lines: pd.DataFrame, quality: str) -> list[Point]:
    """The curve that lines of a summary hold."""
    return [Point(*values) for values in zip(lines["bpp"], lines[quality], strict=True)]


def is_external(lines: pd.DataFrame) -> bool:
    """Whether a codec's lines come from elsewhere."""
    return set(lines["source"]) == {EXTERNAL}


def curve_label(lines: pd.DataFrame) -> str:
    """The codec's name, and where its curve is from if not from this run."""
    (codec,), (source,) = set(lines["codec"]), set(lines["source"])
    return str(codec) if source == "measured" else f"{codec} ({source})"


_DELTA_COLUMNS = ["codec", "anchor", "quality", "method", "bd_rate", "uncertainty", "low", "high"]
_DELTA_COLUMNS += ["overlap", "note"]


def _delta(codec: Sequence[Point], anchor: Sequence[Point], method: str) -> dict[str, Any]:
    delta = delta_rate(codec, anchor, method)
    return {
        "bd_rate": delta.percent,
        "uncertainty": delta_uncertainty(codec, anchor, method).percentage_points,
        "overlap": delta.overlap,
        "note": delta.note,
    }


def _with_delta_intervals(table: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Gives the deltas their intervals, or a note where too many resamples have no delta."""
    for row in found.to_dict("records"):
        its = (table["codec"] == row["codec"]) & (table["anchor"] == row["anchor"])
        its &= (table["quality"] == "wap") & (table["method"] == "akima") & table["bd_rate"].notna()
        if row["undefined"] <= _MOST_UNDEFINED:
            table.loc[its, ["low", "high"]] = [row["bd_rate_low"], row["bd_rate_high"]]
        else:
            reason = f"no interval: no delta in {row['undefined']:.0%} of the resamples"
            table.loc[its, "note"] = [
                f"{note}; {reason}" if note else reason for note in table.loc[its, "note"]
            ]
    return table


def _resample(
    truth: Mapping[str, Any],
    folders: Mapping[str, RunFolder],
    rates: Mapping[tuple[str, str, str], Mapping[int, float]],
    key: tuple[str, str, str],
) -> Resampled:
    source, codec, rate_point = key
    found = [
        coco_result(picture, detection)
        for picture, detections in folders[source].detections(codec, rate_point).items()
        for detection in detections
    ]
    counts = draw(len(truth["images"]), RESAMPLES, seed=0)
    return resample(truth, RatePoint(codec, rate_point, found, rates[key]), counts)


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
    return _all_results(runner, partial(_judge, truth, folder), keys, "average precision")


def _all_results(
    runner: Runner, function: Callable[[Task], Result], keys: Sequence[Task], what: str
) -> list[Result]:
    """The results of all keys, in their order."""
    found = {}
    for outcome in runner.run(function, keys):
        if isinstance(outcome, Failed):
            raise RuntimeError(f"no {what} for {outcome.task}: {outcome.reason}")
        found[outcome.task] = outcome.result
    return [found[key] for key in keys]


def _judge(
    truth: GroundTruth | CityscapesGroundTruth, folder: RunFolder, key: tuple[str, str]
) -> AveragePrecision:
    return truth.average_precision(folder.detections(*key))
