"""The table of rate points: rate, qualities and times of each codec and rate point."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.dataset import Picture
from benchmark.errors import UsageError
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.metrics.bootstrap import Counts, Resampled
from benchmark.metrics.ground_truth import Judged, RunTruth
from benchmark.metrics.qualities import IMAGE_QUALITIES, QUALITIES, Quality
from benchmark.run.manifest import Manifest
from benchmark.run.record import UNCOMPRESSED, Record
from benchmark.run.run_folder import RunFolder
from benchmark.runner import Failed, Result, Runner

_TIMES = ("encode_s", "decode_s", "analysis_s")
_FIRST = ["codec", "rate_point", "images", "bpp", "wap", "ap50", "psnr", "ms_ssim"]
_FIRST += ["encode_s", "decode_s", "analysis_s"]
"""How ``summary.csv`` begins; more columns follow."""

INCOMPLETE = ["codec", "rate_point", "images", "of"]
"""The columns of `incomplete_points`."""

IMAGES = ["codec", "rate_point", "image", "wap"]
"""The columns of the table of single images."""

_Ids = Mapping[int, int]
"""The number of an image in the data set by its number in the run folder."""


class RatePoints(NamedTuple):
    """What is known of the rate points of a run.

    Attributes:
        summary: one row per rate point.
        images: one row per rate point and image.
        resampled: the rate points in bootstrap resamples of the images, by codec and rate point;
            none where it was not asked for, or where a rate point has no AP of masks.
    """

    summary: pd.DataFrame
    images: pd.DataFrame
    resampled: Mapping[tuple[str, str], Resampled]


def rate_point_table(
    run: OpenedRun,
    pictures: Sequence[Picture],
    truth: RunTruth | None,
    runner: Runner,
    counts: Counts | None = None,
    codecs: Collection[str] | None = None,
) -> RatePoints:
    """Return what is known of each codec and rate point that has all of the images.

    The summary is ordered by falling rate. Its columns: codec, rate_point, images, bpp (mean over
    the images), the qualities by their column (`benchmark.metrics.qualities`; NaN where one was
    not measured on all images), encode_s, decode_s, analysis_s (means), ap (a key of `AP_NAMES`),
    ap_CLASS and ap50_CLASS (percent). The single images': codec, rate_point, image, wap (of the
    image by itself, in percent).

    Args:
        run: the run.
        pictures: the images, as the data set has them.
        truth: their ground truth; None without an analysis network.
        runner: where the detections are evaluated.
        counts: resamples of the images by rising id (`benchmark.metrics.bootstrap.draw`).
        codecs: those that are evaluated; None for all.
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    names = {picture.name for picture in pictures}
    for record in run.records:
        if record.image in names and (codecs is None or record.codec in codecs):
            groups.setdefault(record.key[:2], []).append(record)
    whole = {key: records for key, records in groups.items() if len(records) == len(names)}
    rows = [_row(*key, records) for key, records in whole.items()]
    table = pd.DataFrame(rows, columns=[*_FIRST, *_further()])
    lines: list[tuple[str, str, str, float]] = []
    resampled: dict[tuple[str, str], Resampled] = {}
    if truth is not None and rows:
        ids = {picture.name: picture.id for picture in pictures}
        found = _all_results(runner, _judge, list(whole), "average precision",
                            (truth, run.folder, ids, whole, counts))  # fmt: skip
        overall = pd.DataFrame([its.qualities for its in found], index=table.index)
        for name, values in overall.items():
            table[name] = values
        image_names = {picture.id: picture.name for picture in pictures}
        lines = [
            (*key, image_names[id_], wap)
            for key, judged in zip(whole, found, strict=True)
            for id_, wap in judged.images.items()
        ]
        if counts is not None and table["wap"].notna().all():
            resampled = {
                key: Resampled(*key, _mean_rates(whole[key], ids, counts), *judged.resamples)
                for key, judged in zip(whole, found, strict=True)
            }
    table["ap"] = truth.ap if truth else None
    table = table.sort_values(["codec", "bpp"], ascending=[True, False], ignore_index=True)
    return RatePoints(table, pd.DataFrame(lines, columns=IMAGES), resampled)


def incomplete_points(
    manifest: Manifest, records: Sequence[Record], images: Collection[str]
) -> pd.DataFrame:
    """Return one row per rate point that was asked for and lacks results of some images.

    Their means would be over other images than those of the other rate points, so there are none:
    they are no points of curves, and no delta knows of them.

    Columns: codec, rate_point, images (how many have a result), of (how many there are).

    Args:
        manifest: of the run.
        records: of the run.
        images: names of the images that count.
    """
    done = Counter(record.key[:2] for record in records if record.image in images)
    originals = sorted({record.key[:2] for record in records if record.codec == UNCOMPRESSED})
    asked = [(name, rate) for name, codec in manifest.codecs.items() for rate in codec.rate_points]
    rows = [
        (*point, done[point], len(images))
        for point in [*originals, *asked]
        if done[point] < len(images)
    ]
    return pd.DataFrame(rows, columns=INCOMPLETE)


def notes_on(records: Sequence[Record]) -> list[str]:
    """Return what is to be said about the means over these records, a sentence each."""
    notes = []
    for name, quality in IMAGE_QUALITIES.items():
        if quality.exact is None:
            continue
        points: dict[tuple[str, str], list[bool]] = {}
        for record in records:
            if record.codec != UNCOMPRESSED and name in record.qualities:
                is_exact = record.qualities[name] is None
                points.setdefault(record.key[:2], []).append(is_exact)
        mixed = sum(any(exact) and not all(exact) for exact in points.values())
        if mixed:
            notes.append(
                f"{quality.label}: at {mixed} rate points some images are decoded exactly; they "
                "count as if one sample were wrong by one"
            )
    return notes


def _all_results(
    runner: Runner,
    function: Callable[..., Result],
    keys: Sequence[tuple[str, ...]],
    what: str,
    constants: Sequence[Any],
) -> list[Result]:
    """Return the results of all keys, in their order.

    Raises:
        UsageError: if there is none of one, with the reason.
    """
    found = {}
    for outcome in runner.run(function, keys, constants):
        if isinstance(outcome, Failed):
            raise UsageError(f"no {what} for {'/'.join(outcome.task)}: {outcome.reason}")
        found[outcome.task] = outcome.result
    return [found[key] for key in keys]


def _detections_by_id(
    folder: RunFolder, key: tuple[str, str], ids: _Ids, records: Sequence[Record] = ()
) -> dict[int, list[Detection]]:
    """Return the detections of a rate point by the images' ids in the data set.

    Args:
        folder: the run folder.
        key: codec and rate point.
        ids: those in the data set by those in the folder; other images are left out.
        records: whose detections must be as they were written.

    Raises:
        UsageError: if they are not.
    """
    found = folder.detections(*key, records)
    return {ids[number]: detections for number, detections in found.items() if number in ids}


def _ids(records: Sequence[Record], ids: Mapping[str, int]) -> dict[int, int]:
    return {record.image_id: ids[record.image] for record in records}


def _further() -> list[str]:
    return [name for name in QUALITIES if name not in _FIRST]


def _row(codec: str, rate_point: str, records: Sequence[Record]) -> dict[str, Any]:
    return {
        "codec": codec,
        "rate_point": rate_point,
        "images": len(records),
        "bpp": _mean([record.bpp for record in records]),
        **{name: _quality(its, records) for name, its in IMAGE_QUALITIES.items()},
        **{
            name: _mean([_nan_if_none(getattr(record, name)) for record in records])
            for name in _TIMES
        },
    }


def _quality(quality: Quality, records: Sequence[Record]) -> float:
    """The mean over the images.

    NaN where some image has not been measured, or all are exact. What has no number on an image
    of its size has none at any rate point, so it is left out.
    """
    if any(quality.column not in record.qualities for record in records):
        return math.nan
    values = [(record, record.qualities[quality.column]) for record in records]
    known = [value for _, value in values if value is not None]
    if quality.exact is not None and known:
        known += [
            quality.exact(3 * record.width * record.height)
            for record, value in values
            if value is None
        ]
    return _mean(known)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _nan_if_none(value: float | None) -> float:
    return math.nan if value is None else value


def _mean_rates(
    records: Sequence[Record], ids: Mapping[str, int], counts: Counts
) -> NDArray[np.float64]:
    """The mean bits per pixel in each resample."""
    by_id = sorted(records, key=lambda record: ids[record.image])
    return np.array([record.bpp for record in by_id]) @ counts / counts.sum(axis=0)


def _judge(
    truth: RunTruth,
    folder: RunFolder,
    ids: Mapping[str, int],
    records: Mapping[tuple[str, str], Sequence[Record]],
    counts: Counts | None,
    key: tuple[str, str],
) -> Judged:
    own = _ids(records[key], ids)
    return truth.judge(_detections_by_id(folder, key, own, records[key]), counts)
