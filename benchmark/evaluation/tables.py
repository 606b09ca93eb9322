"""All tables of a run: rate points, Bjontegaard deltas, intervals, and how each was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from benchmark.datasets.dataset import Picture
from benchmark.errors import UsageError
from benchmark.evaluation.clusters import RESAMPLED, clusters_of
from benchmark.evaluation.complexity import with_complexity
from benchmark.evaluation.curves import MEASURED, PUBLISHED, curves, is_hull
from benchmark.evaluation.deltas import delta_rates
from benchmark.evaluation.detected_truth import REMARK, DetectedTruth
from benchmark.evaluation.intervals import with_intervals
from benchmark.evaluation.needed_rates import needed_rates
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.published_run import published_anchor, published_folder
from benchmark.evaluation.rate_points import (
    IMAGES,
    INCOMPLETE,
    incomplete_points,
    notes_on,
    rate_point_table,
)
from benchmark.evaluation.scales import scales_note, with_scales
from benchmark.evaluation.signature import signature
from benchmark.metrics.bootstrap import RESAMPLES, Counts, draw
from benchmark.metrics.ground_truth import DETECTED, RunTruth
from benchmark.metrics.resampled_curves import ResampledCurves
from benchmark.run.record import UNCOMPRESSED
from benchmark.run.run_folder import RunFolder
from benchmark.runner import Runner

SUMMARY = "summary.csv"


@dataclass(frozen=True)
class Tables:
    """What came out of a run.

    Attributes:
        summary: one row per codec and rate point (`rate_point_table`), with the columns source,
            wap_low and wap_high, and those of scaled coding (`with_scales`).
        deltas: against every codec that has a curve (`benchmark.evaluation.deltas.delta_rates`).
        commands: those that made each codec's curve.
        notes: what is to be said about the numbers, a sentence each.
        incomplete: the rate points that lack results of some images, which are in no other table
            (`incomplete_points`).
        needed: what 99 % and 95 % of the uncompressed wAP take
            (`benchmark.evaluation.needed_rates.needed_rates`).
        signature: what the numbers rest on, in one line (`benchmark.evaluation.signature`).
        images: the wAP of each image by itself (`rate_point_table`).
        preliminary: how far the run is, where it goes on; else empty.
    """

    summary: pd.DataFrame
    deltas: pd.DataFrame
    commands: Mapping[str, Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)
    incomplete: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=INCOMPLETE))
    needed: pd.DataFrame = field(default_factory=pd.DataFrame)
    signature: str = ""
    images: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=IMAGES))
    preliminary: str = ""

    def against(self, anchor: str) -> pd.DataFrame:
        """Return the deltas against one anchor."""
        return self.deltas[self.deltas["anchor"] == anchor].reset_index(drop=True)


def evaluate(
    run: OpenedRun, pictures: Sequence[Picture], runner: Runner, anchor: str, ap: str | None,
    resample: str = RESAMPLED[0], preliminary: str = "",
) -> Tables:  # fmt: skip
    """Return the tables of a run over some of its images.

    Where the run has no curve of the anchor, the published run lends it if it can.

    Args:
        run: the run.
        pictures: the images, as the data set has them.
        runner: where to work.
        anchor: the codec that others are compared to first of all.
        ap: how the average precision of masks is computed (`AP_NAMES`); None without an analysis
            network.
        resample: what bootstrap intervals are over (`benchmark.evaluation.clusters.RESAMPLED`).
        preliminary: how far a run is that goes on; its tables have no intervals, which take long.

    Raises:
        UsageError: if this AP has no meaning on the data set, or all images are of one cluster.
    """
    dataset = DetectedTruth(run) if ap == DETECTED else run.dataset
    clusters = clusters_of([picture.name for picture in pictures], resample)
    truth = RunTruth(dataset, pictures, ap) if ap else None
    runs = {MEASURED: run}
    counts = None if preliminary or len(pictures) < 2 else _resamples(pictures, clusters)
    points = rate_point_table(run, pictures, truth, runner, counts)
    summary = points.summary.assign(source=MEASURED)
    by_source = {MEASURED: points.resampled}
    lacks_anchor = not summary.empty and anchor not in set(summary["codec"])
    if lacks_anchor and (lent := published_anchor(anchor, run)):
        more = rate_point_table(lent, pictures, truth, runner, counts, {anchor})
        if not more.summary.empty:
            runs[PUBLISHED] = lent
            by_source[PUBLISHED] = more.resampled
            summary = pd.concat([summary, more.summary.assign(source=PUBLISHED)], ignore_index=True)
    summary = with_scales(summary)
    keys = zip(summary["source"], summary["codec"], summary["rate_point"], strict=True)
    resampled = (
        [by_source[source][codec, rate_point] for source, codec, rate_point in keys]
        if all(by_source.values()) else []
    )  # fmt: skip
    summary = with_intervals(summary, resampled)
    hulls = {codec for codec, rows in curves(summary).items() if is_hull(rows)}
    resampled_curves = ResampledCurves(resampled, hulls)
    original = next((its for its in resampled if its.codec == UNCOMPRESSED), None)
    summary = with_complexity(summary, {source: its.manifest for source, its in runs.items()})
    names = {picture.name for picture in pictures}
    notes = [REMARK] if ap == DETECTED else []
    notes += filter(None, [scales_note(summary)])
    notes += notes_on([record for record in run.records if record.image in names])
    return Tables(
        summary, delta_rates(summary, list(curves(summary)), resampled_curves),
        _commands(summary, runs), notes, incomplete_points(run.manifest, run.records, names),
        needed_rates(summary, resampled_curves, original),
        signature(run, pictures, ap, resample), points.images, preliminary,
    )  # fmt: skip


def _resamples(pictures: Sequence[Picture], clusters: Mapping[str, str]) -> Counts:
    """The same resamples of the images for all rate points."""
    by_id = sorted(pictures, key=lambda picture: picture.id)
    return draw([clusters[picture.name] for picture in by_id], RESAMPLES, seed=0)


def stored_tables(run: OpenedRun) -> Tables:
    """Return the tables that a run folder holds, where they cannot be computed again.

    Raises:
        UsageError: if the folder holds none.
    """
    summary = with_intervals(read_summary(run.folder), [])
    runs = {MEASURED: run}
    if PUBLISHED in set(summary["source"]):
        runs[PUBLISHED] = OpenedRun(published_folder())
    deltas = delta_rates(summary, list(curves(summary)))
    incomplete = _summary_file(run.folder).query("bpp.isna()").assign(of=summary["images"].max())
    notes = [*filter(None, [scales_note(summary)])]
    return Tables(
        summary, deltas, _commands(summary, runs), notes, incomplete[INCOMPLETE]
    )  # fmt: skip


def read_summary(folder: RunFolder) -> pd.DataFrame:
    """Return the table of the complete rate points that a run folder holds.

    Raises:
        UsageError: if it holds none, or one that cannot be read.
    """
    summary = _summary_file(folder)
    return summary[summary["bpp"].notna()].reset_index(drop=True)


def _summary_file(folder: RunFolder) -> pd.DataFrame:
    file = folder.path / SUMMARY
    if not file.is_file():
        raise UsageError(f"{folder.path} holds no {SUMMARY}: finish the run with its command first")
    try:
        summary = pd.read_csv(file, float_precision="round_trip")
    except ValueError as error:
        raise UsageError(f"{file} is no table: {error}") from error
    missing = {"codec", "rate_point", "images", "bpp"} - set(summary)
    if missing:
        raise UsageError(f"{file} has no column {', '.join(sorted(missing))}")
    for name, value in (("source", MEASURED), ("ap", None)):
        if name not in summary:
            summary[name] = value
    return summary


def _commands(summary: pd.DataFrame, runs: Mapping[str, OpenedRun]) -> dict[str, list[str]]:
    sources = dict(zip(summary["codec"], summary["source"], strict=True))
    return {codec: runs[source].commands(codec) for codec, source in sources.items()}
