"""A run from what was asked for to the report."""

from __future__ import annotations

import math
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import joblib
import pandas as pd

from benchmark.analysis import AnalysisNetwork, open_analysis
from benchmark.codec import Codec, CodecUnavailable, find_codecs, open_codec
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import (
    Dataset,
    Picture,
    check_something_to_find,
    fingerprint,
)
from benchmark.errors import UsageError
from benchmark.interchange.compressai_json import compressai_results
from benchmark.interchange.external import external_curves
from benchmark.interchange.latex import delta_rate_table
from benchmark.machine import machine, versions
from benchmark.metrics.bootstrap import Resampled
from benchmark.plan import Plan, extrapolated
from benchmark.report.curves import draw_curves, render
from benchmark.report.gallery import make_gallery
from benchmark.report.html import html_report
from benchmark.report.published import published_run, with_published_anchor
from benchmark.report.summary import (
    all_delta_rates,
    ap_name,
    bootstrapped,
    check_ap,
    curves,
    summarize,
    with_average_precisions,
    with_intervals,
)
from benchmark.report.text import delta_rates_text, summary_text
from benchmark.run import (
    CodecChoice,
    Encoded,
    Job,
    Progress,
    carry_out,
    plan_jobs,
    rating_s,
)
from benchmark.runner import Failed, Runner, open_runner
from benchmark.store import UNCOMPRESSED, RunFolder


@dataclass(frozen=True)
class Experiment:
    """What was asked for.

    Attributes:
        dataset: spec of the data set.
        limit: number of images; None for all.
        codecs: names; None for all that can run here.
        codec_options: options by the codec's name.
        rates: names of rate points, ``qp32`` or ``vtm:qp32``; none for each codec's own.
        analysis: spec of the analysis network; None for none.
        ap: whose average precision is computed, coco or cityscapes.
        anchor: codec that the others are compared to.
        bitstreams: run folder that encodings are taken from.
    """

    dataset: str
    limit: int | None
    codecs: Sequence[str] | None
    codec_options: Mapping[str, Mapping[str, str]]
    rates: Sequence[str]
    analysis: str | None
    ap: str
    anchor: str
    bitstreams: Path | None


@dataclass(frozen=True)
class _Prepared:
    """An experiment with all that it needs, opened and written into its run folder's manifest."""

    runner: Runner
    folder: RunFolder
    choices: Sequence[CodecChoice]
    dataset: Dataset
    pictures: Sequence[Picture]
    analysis: str | None
    ap: str | None
    manifest: Mapping[str, Any]


def run_experiment(experiment: Experiment, out: Path, runner_spec: str, jobs: int | None) -> int:
    """Carries out an experiment, writes its run folder, and prints its tables.

    Returns:
        The number of failed jobs.

    Raises:
        UsageError, CodecUnavailable: if it cannot be carried out as it was asked for.
    """
    started = time.perf_counter()
    its = _prepare(experiment, out, runner_spec, jobs)
    with its.folder.locked():
        its.folder.write_manifest(its.manifest)
        planned = plan_jobs(its.choices, its.pictures, its.analysis)
        if experiment.bitstreams:
            planned = _with_encodings(planned, RunFolder(experiment.bitstreams), its.manifest)
        rate_points = sum(len(choice.rate_points) for choice in its.choices)
        print(
            f"{len(its.pictures)} images of {its.dataset.name}, {len(its.choices)} codecs with "
            f"{rate_points} rate points, analysis network: {its.analysis or 'none'}; "
            f"{len(planned)} jobs on {its.runner.workers} workers",
            file=sys.stderr,
        )
        progress = carry_out(planned, its.folder, its.runner)
        records = its.folder.records()
        summary = summarize(its.folder, records, its.dataset, its.pictures, its.runner, ap=its.ap)
        _print_progress(progress, time.perf_counter() - started)
        if not summary.empty:
            summary = with_published_anchor(
                summary,
                experiment.anchor,
                its.manifest,
                its.dataset,
                its.pictures,
                its.runner,
                its.ap,
            )
            resampled = bootstrapped(
                summary, _folders(its.folder), its.dataset, its.pictures, its.runner
            )
            _write_tables(its.folder, summary, experiment.anchor, resampled)
    return sum(map(len, progress.failures.values()))


def plan_experiment(experiment: Experiment, out: Path, runner_spec: str, jobs: int | None) -> Plan:
    """Carries out an experiment on one image, and says what the whole will take.

    It is the image whose file has the median size: the more there is in an image, the longer it
    takes. What was done lies in the run folder, and the run goes on from there.

    Raises:
        UsageError, CodecUnavailable: if it cannot be carried out as it was asked for.
    """
    its = _prepare(experiment, out, runner_spec, jobs)
    by_size = sorted(its.pictures, key=lambda picture: picture.path.stat().st_size)
    typical = by_size[len(by_size) // 2]
    with its.folder.locked():
        its.folder.write_manifest(its.manifest)
        planned = plan_jobs(its.choices, [typical], its.analysis)
        progress = carry_out(planned, its.folder, its.runner)
    for codec, reasons in progress.failures.items():
        raise UsageError(f"{codec} failed on {typical.name}: {reasons[0]}")
    names = {choice.name for choice in its.choices} | {UNCOMPRESSED}
    records = [
        record
        for record in its.folder.records()
        if record.image == typical.name and record.codec in names
    ]
    (rated,) = its.runner.run(rating_s, [typical])
    if isinstance(rated, Failed):
        raise UsageError(rated.reason)
    return extrapolated(
        records, len(its.pictures), rated.result, progress.peak_memory, its.runner.workers
    )


def _prepare(experiment: Experiment, out: Path, runner_spec: str, jobs: int | None) -> _Prepared:
    """Opens all that an experiment needs; names all that is missing at once."""
    problems: list[str] = []

    def attempt(function: Callable[..., _Opened], *arguments: Any) -> _Opened | None:
        try:
            return function(*arguments)
        except (UsageError, CodecUnavailable) as error:
            problems.append(str(error))
            return None

    runner = attempt(open_runner, runner_spec, jobs)
    folder = RunFolder(out)
    before = attempt(folder.manifest)
    codecs = attempt(_choose_codecs, experiment)
    dataset = attempt(open_dataset, experiment.dataset)
    if dataset is not None:
        attempt(check_ap, experiment.ap, dataset)
    analysis = experiment.analysis if dataset is None or dataset.categories else None
    judge = attempt(open_analysis, analysis) if analysis else None
    if problems:
        listed = "".join(f"\n- {problem}" for problem in problems)
        raise UsageError(problems[0] if len(problems) == 1 else f"this is missing:{listed}")
    assert runner is not None and codecs is not None and dataset is not None
    assert before is not None
    pictures = dataset.pictures[: experiment.limit]
    ap = experiment.ap if analysis else None
    manifest = _manifest(experiment, judge, ap, codecs, dataset, pictures)
    choices = [choice for choice, _ in codecs]
    merged = _merged(before, manifest, folder)
    if analysis:
        _check_image_ids(folder, pictures)
        check_something_to_find(dataset, pictures, experiment.dataset)
    for remark in dataset.remarks(pictures):
        print(remark, file=sys.stderr)
    return _Prepared(runner, folder, choices, dataset, pictures, analysis, ap, merged)


_Opened = TypeVar("_Opened")


def show_run(path: Path, anchor: str, ap: str | None, external: Sequence[str] = ()) -> None:
    """Prints a run's tables again, and draws its curves and report again.

    Args:
        path: the run folder.
        anchor: codec that the others are compared to.
        ap: whose average precision is shown, coco or cityscapes; None for the run's own. Another
            one is computed from the run's detections, and the run folder then holds it.
        external: curves from elsewhere, NAME=FILE, that are drawn with the run's own.

    Raises:
        UsageError: if there is no finished run, this AP cannot be computed for it, or an external
            file holds no curve.
    """
    folder = RunFolder(path)
    if not (path / "summary.csv").is_file():
        raise UsageError(f"{path} holds no summary.csv: finish the run with its command first")
    manifest = folder.manifest()
    ap = ap or manifest.get("ap", "coco")
    with folder.locked():
        summary = pd.read_csv(path / "summary.csv", float_precision="round_trip")
        drawn = external_curves(external, sorted(set(summary["codec"])))
        runner = open_runner("local", None)
        if ap and ("ap" not in summary or set(summary["ap"]) != {ap}):
            dataset, pictures = _same_dataset(folder, manifest, summary, ap)
            summary = _judged_again(folder, summary, dataset, pictures, runner, ap)
        folder.write_manifest({**manifest, "ap": ap})
        resampled: list[Resampled] = []
        if ap == "coco":
            try:
                dataset, pictures = _same_dataset(folder, manifest, summary, ap)
            except UsageError as error:
                print(f"without bootstrap intervals: {error}", file=sys.stderr)
            else:
                resampled = bootstrapped(summary, _folders(folder), dataset, pictures, runner)
        _write_tables(folder, summary, anchor, resampled, drawn)


def _folders(folder: RunFolder) -> dict[str, RunFolder]:
    """Where the lines of a run's summary come from, by their source."""
    return {"measured": folder, "published": published_run()}


def _same_dataset(
    folder: RunFolder, manifest: Mapping[str, Any], summary: pd.DataFrame, ap: str
) -> tuple[Dataset, Sequence[Picture]]:
    """The data set of a run, and the images that its summary is over.

    Raises:
        UsageError: if they cannot be had as they were, or this AP has no meaning on them.
    """
    if not manifest["analysis"]["spec"]:
        raise UsageError(f"{folder.path} was made without an analysis network: it has no AP")
    spec = manifest["dataset"]["spec"]
    dataset = open_dataset(spec)
    check_ap(ap, dataset)
    pictures = dataset.pictures[: summary["images"].iloc[0]]
    _check_image_ids(folder, pictures)
    for name, its in _fingerprints(dataset, pictures).items():
        if manifest["dataset"]["images"].get(name) != its:
            raise UsageError(
                f"image {name} of {spec}, or its annotations, are not those that {folder.path} "
                "was made with: bring back the data set as it was"
            )
    return dataset, pictures


def _judged_again(
    folder: RunFolder,
    summary: pd.DataFrame,
    dataset: Dataset,
    pictures: Sequence[Picture],
    runner: Runner,
    ap: str,
) -> pd.DataFrame:
    """The summary of a run with another kind of average precision, from the same detections.

    The intervals of the former one are gone.
    """
    folders = _folders(folder)
    parts = [
        with_average_precisions(lines, folders[str(source)], dataset, pictures, runner, ap)
        for source, lines in summary.groupby("source", sort=False)
    ]
    return pd.concat(parts).sort_index().assign(wap_low=math.nan, wap_high=math.nan)


def _choose_codecs(experiment: Experiment) -> list[tuple[CodecChoice, Codec]]:
    for name in experiment.codec_options:
        if name not in (experiment.codecs or find_codecs()):
            raise UsageError(f"--option names the codec {name!r}, which is not in this run")
    codecs = []
    unavailable = []
    for name in dict.fromkeys(experiment.codecs or sorted(find_codecs())):
        options = experiment.codec_options.get(name, {})
        try:
            codec = open_codec(name, options)
        except CodecUnavailable as error:
            if experiment.codecs:
                unavailable.append(f"codec {name} cannot run here: {error}")
            else:
                print(f"without {name}: {error}", file=sys.stderr)
            continue
        codecs.append((codec, tuple(options.items())))
    if unavailable:
        raise CodecUnavailable("\n- ".join(unavailable))
    return _with_rate_points(codecs, experiment.rates)


def _with_rate_points(
    codecs: Sequence[tuple[Codec, tuple[tuple[str, str], ...]]], rates: Sequence[str]
) -> list[tuple[CodecChoice, Codec]]:
    """Gives each codec the rates that name it, else those that name no codec, else its own."""
    own: dict[str, list[str]] = {}
    common = []
    for rate in rates:
        name, colon, point = rate.rpartition(":")
        if not colon:
            common.append(point)
        elif name in {codec.name for codec, _ in codecs}:
            own.setdefault(name, []).append(point)
        else:
            raise UsageError(f"--rates {rate} names the codec {name!r}, which is not in this run")
    chosen = []
    for codec, options in codecs:
        names = own.get(codec.name, common)
        points = tuple(map(codec.rate_point, dict.fromkeys(names))) or codec.rate_points
        chosen.append((CodecChoice(codec.name, options, tuple(points)), codec))
    return chosen


def _manifest(
    experiment: Experiment,
    judge: AnalysisNetwork | None,
    ap: str | None,
    codecs: Sequence[tuple[CodecChoice, Codec]],
    dataset: Dataset,
    pictures: Sequence[Picture],
) -> dict[str, Any]:
    return {
        "command": shlex.join(["python", "-m", "benchmark", *sys.argv[1:]]),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": versions(),
        "machine": machine(),
        "dataset": {
            "spec": experiment.dataset,
            "images": _fingerprints(dataset, pictures),
        },
        "analysis": {
            "spec": experiment.analysis if judge else None,
            "identity": judge.identity() if judge else {},
        },
        "ap": ap,
        "codecs": {
            choice.name: {
                "options": dict(choice.options),
                "identity": codec.identity(),
                "rate_points": [point.name for point in choice.rate_points],
            }
            for choice, codec in codecs
        },
    }


def _fingerprints(dataset: Dataset, pictures: Sequence[Picture]) -> dict[str, dict[str, str]]:
    found = joblib.Parallel(n_jobs=-1, prefer="threads")(
        joblib.delayed(fingerprint)(dataset, picture) for picture in pictures
    )
    return {picture.name: asdict(its) for picture, its in zip(pictures, found, strict=True)}


def _merged(
    before: Mapping[str, Any], now: Mapping[str, Any], folder: RunFolder
) -> Mapping[str, Any]:
    """The manifest of a run that goes on, perhaps with more codecs, rate points or images.

    Raises:
        UsageError: if what the folder holds was made with something else.
    """
    if not before:
        return now
    _check_same("the data set", now["dataset"]["spec"], before["dataset"]["spec"], folder)
    images = before["dataset"]["images"]
    for name, its in now["dataset"]["images"].items():
        _check_same(f"another image {name}:", its, images.get(name, its), folder)
    _check_same("the analysis network", now["analysis"], before["analysis"], folder)
    codecs = dict(before["codecs"])
    for name, codec in now["codecs"].items():
        old = codecs.get(name, codec)
        _check_same(f"the codec {name} as", codec["identity"], old["identity"], folder)
        points = dict.fromkeys([*old["rate_points"], *codec["rate_points"]])
        codecs[name] = {**codec, "rate_points": list(points)}
    return {
        **now,
        "dataset": {**now["dataset"], "images": images | now["dataset"]["images"]},
        "codecs": codecs,
    }


def _check_image_ids(folder: RunFolder, pictures: Sequence[Picture]) -> None:
    """Raises a `UsageError` if a run's detections lie under other ids than the data set's."""
    ids = {picture.name: picture.id for picture in pictures}
    for record in folder.records():
        if ids.get(record.image, record.image_id) != record.image_id:
            raise UsageError(
                f"{folder.path} holds what was found in {record.image} under the image id "
                f"{record.image_id}, in the data set it is {ids[record.image]} now: choose another "
                "--out, or bring back the data set as it was"
            )


def _check_same(what: str, now: Any, before: Any, folder: RunFolder) -> None:
    if now != before:
        raise UsageError(
            f"{folder.path} was made with {what} {_difference(before, now)}, "
            f"now it is {_difference(now, before)}: choose another --out"
        )


def _difference(value: Any, other: Any) -> str:
    """Of mappings only the entries that differ."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        value = {key: entry for key, entry in value.items() if entry != other.get(key)}
    return str(value)


def _with_encodings(
    planned: Sequence[Job], other: RunFolder, manifest: Mapping[str, Any]
) -> list[Job]:
    """Gives each job the encoding that the other run holds of the same image and codec."""
    theirs = other.manifest()
    if not theirs:
        raise UsageError(f"--bitstreams {other.path} is not a run folder")
    images, codecs = manifest["dataset"]["images"], manifest["codecs"]
    encodings = {
        record.key: Encoded(file, record.encode_s)
        for record in other.records()
        if record.sha256 and (file := other.bitstream(record)).is_file()
    }
    jobs = []
    for job in planned:
        codec, _, image = job.key
        same = (
            codec in codecs
            and theirs["codecs"].get(codec, {}).get("identity") == codecs[codec]["identity"]
            and theirs["dataset"]["images"].get(image, {}).get("pixels") == images[image]["pixels"]
        )
        jobs.append(replace(job, encoded=encodings.get(job.key)) if same else job)
    return jobs


def _print_progress(progress: Progress, wall_s: float) -> None:
    for codec, reasons in progress.failures.items():
        print(f"{codec}: {len(reasons)} jobs failed, the first: {reasons[0]}")
    if progress.finished:
        print(
            f"{progress.finished} jobs in {wall_s:.0f} s ({progress.reused} were done before); "
            f"encoding, decoding and analysis took {progress.work_s:.0f} s on {progress.workers} "
            f"workers: wall time / (their sum / workers) = "
            f"{wall_s * progress.workers / progress.work_s:.2f}"
        )
    else:
        print(f"all {progress.reused} jobs were done before")


def _write_tables(
    folder: RunFolder,
    summary: pd.DataFrame,
    anchor: str,
    resampled: Sequence[Resampled],
    external: Sequence[pd.DataFrame] = (),
) -> None:
    summary = with_intervals(summary, resampled)
    deltas = all_delta_rates(summary, list(curves(summary)), resampled)
    shown = deltas[deltas["anchor"] == anchor]
    folder.write_file("summary.csv", summary.to_csv(index=False).encode())
    folder.write_file("bd_rate.csv", shown.to_csv(index=False).encode())
    folder.write_file("bd_rate.tex", delta_rate_table(shown, anchor, ap_name(summary)).encode())
    several = summary[summary["codec"].isin(list(curves(summary)))]
    for codec, content in compressai_results(several, folder.manifest()["command"]).items():
        folder.write_file(f"compressai/{codec}.json", content.encode())
    drawn = pd.concat([summary, *external], ignore_index=True)
    figure = draw_curves(drawn)
    for kind in ("svg", "png"):
        folder.write_file(f"curves.{kind}", render(figure, kind))
    page = html_report(
        *(folder.manifest(), drawn, deltas, anchor, render(figure, "svg")),
        *(folder.records(), make_gallery(folder, summary)),
    )
    folder.write_file("report.html", page)
    print(summary_text(summary), delta_rates_text(shown, anchor), sep="\n\n")
    if published := sorted(set(summary.loc[summary["source"] == "published", "codec"])):
        print(f"{', '.join(published)}: the published curve, not measured in this run.")
    print(f"\nCurves: {folder.path}/curves.svg and .png, report: {folder.path}/report.html")
