"""Bootstrap intervals of the rate points of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.datasets.dataset import Picture
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.rate_points import Ids, all_results, detections_by_id
from benchmark.metrics.bootstrap import (
    RESAMPLES,
    PointDetections,
    Resampled,
    draw,
    intervals,
    resample,
)
from benchmark.metrics.ground_truth import RunTruth
from benchmark.run.run_folder import RunFolder
from benchmark.runner import Runner

_Key = tuple[str, str, str]
"""Source, codec and rate point."""


def bootstrapped(
    summary: pd.DataFrame,
    runs: Mapping[str, OpenedRun],
    pictures: Sequence[Picture],
    truth: RunTruth | None,
    runner: Runner,
    clusters: Mapping[str, str],
) -> list[Resampled]:
    """Return the rate points of a table in 1,000 bootstrap resamples of its images.

    None without average precisions, of a single image, and for Cityscapes' AP: the bootstrap
    knows COCO's only.

    Args:
        summary: rate points, with the column ``source``.
        runs: the run of each source.
        pictures: the images, as the data set has them.
        truth: their ground truth.
        runner: where to work.
        clusters: of each image, by its name; they are drawn with replacement.
    """
    known = summary["wap"].notna().all()
    if truth is None or truth.ap == "cityscapes" or len(pictures) < 2 or not known:
        return []
    ids = {picture.name: picture.id for picture in pictures}
    numbers: dict[_Key, dict[int, int]] = {}
    rates: dict[_Key, dict[int, float]] = {}
    for source, run in runs.items():
        for record in run.records:
            if record.image in ids:
                key = (source, record.codec, record.rate_point)
                numbers.setdefault(key, {})[record.image_id] = ids[record.image]
                rates.setdefault(key, {})[ids[record.image]] = record.bpp
    keys = list(zip(summary["source"], summary["codec"], summary["rate_point"], strict=True))
    folders = {source: run.folder for source, run in runs.items()}
    annotations = truth.coco.annotations
    by_id = sorted(pictures, key=lambda picture: picture.id)
    constants = (
        annotations,
        folders,
        {key: numbers[key] for key in keys},
        {key: rates[key] for key in keys},
        [clusters[picture.name] for picture in by_id],
    )
    return all_results(runner, _resample, keys, "bootstrap interval", constants)


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


def _resample(
    truth: Mapping[str, Any],
    folders: Mapping[str, RunFolder],
    numbers: Mapping[_Key, Ids],
    rates: Mapping[_Key, Mapping[int, float]],
    clusters: Sequence[str],
    key: _Key,
) -> Resampled:
    source, codec, rate_point = key
    found = [
        detection.to_coco(image)
        for image, detections in detections_by_id(
            folders[source], (codec, rate_point), numbers[key]
        ).items()
        for detection in detections
    ]
    counts = draw(clusters, RESAMPLES, seed=0)
    return resample(truth, PointDetections(codec, rate_point, found, rates[key]), counts)
