"""The Python API: run experiments, plan them, open finished runs."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.codec import Codec
from benchmark.errors import UsageError
from benchmark.evaluation.clusters import RESAMPLED
from benchmark.evaluation.external_curves import external_curves
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.tables import Tables, evaluate, read_summary, stored_tables
from benchmark.finished_run import Run
from benchmark.preliminary import PreliminaryTables
from benchmark.rate_point import scales_of
from benchmark.report.write import write_report
from benchmark.run.carry_out import OnProgress
from benchmark.run.experiment import Experiment, prepare
from benchmark.run.perform import perform
from benchmark.run.plan import Plan, plan_experiment
from benchmark.run.run_folder import RunFolder
from benchmark.runner import open_runner

_log = logging.getLogger("benchmark")

CodecAsked = str | type[Codec]
"""A codec's name, or its class where no module has it, for example one from a notebook."""


def run(
    codecs: Sequence[CodecAsked] | None = None,
    *,
    dataset: str = "miniscapes",
    limit: int | None = None,
    rates: Sequence[str] = (),
    scales: Sequence[float] = (1,),
    options: Mapping[str, Mapping[str, str]] | None = None,
    analysis: str | None = "miniscapes",
    ap: str = "coco",
    device: str | None = None,
    bitstreams: str | Path | None = None,
    job_limit_s: float | None = None,
    anchor: str = "vtm",
    runner: str = "local",
    jobs: int | None = None,
    out: str | Path = "results/run",
    command: str = "",
    options_file: str = "",
    on_progress: OnProgress = lambda done, jobs: None,
) -> Run:
    """Carry out an experiment, and write its run folder with tables and report.

    Called again after any interruption, it goes on from what the folder holds.

    Args:
        codecs: names, or classes; None for all that can run here.
        dataset: ``NAME`` or ``NAME:WHERE``.
        limit: number of images, the first of the data set; None for all.
        rates: names of rate points, ``qp32`` or ``vtm:qp32``; none for each codec's own.
        scales: by which both sides of the images are multiplied before coding, each above 0 and at
            most 1; every rate point is measured at each, and a codec with several has as its curve
            the upper convex hull of them all.
        options: of codecs, by the codec's name.
        analysis: the analysis network, ``NAME`` or ``NAME:WHERE``; None for none.
        ap: how the average precision of masks is computed: ``coco`` or ``cityscapes``;
            ``detections`` as COCO does, the truth being what the analysis network finds in the
            uncompressed images, with or without annotations.
        device: of the analysis network, ``cpu`` or ``cuda``; None for CUDA where there is a device.
        bitstreams: another run folder, whose bitstreams of the same codecs are taken.
        job_limit_s: seconds after which coding and judging an image at a rate point is given up;
            None for never.
        anchor: codec that the others are compared to.
        runner: where to work, ``NAME`` or ``NAME:WHERE``.
        jobs: number of jobs that are worked on at once; None for one per core.
        out: the run folder.
        command: what the run folder says how the experiment can be asked for again; empty for this
            call.
        options_file: what the run folder shall hold as ``run.toml``; empty for nothing.
        on_progress: is told of each job that ends: how many are done, and of how many.

    Raises:
        UsageError: if it cannot be carried out as it was asked for.
        CodecUnavailable: if a codec that was asked for cannot run here.
    """
    asked = {name: value for name, value in locals().items() if name in _SHOWN}
    experiment = _experiment(
        codecs, dataset, limit, rates, scales, options, analysis, ap, device, bitstreams,
        job_limit_s, command or _call(asked), options_file,
    )  # fmt: skip
    started = time.perf_counter()
    prepared = prepare(experiment, Path(out), runner, jobs)
    try:
        with prepared.folder.locked():
            with PreliminaryTables(prepared, anchor) as so_far:
                performed = perform(prepared, on_progress, on_image=so_far.show)
            wall_s = time.perf_counter() - started
            opened = OpenedRun(prepared.folder, prepared.dataset)
            # the detections lie in the run folder
            evaluating = prepared.runner if performed.shared else open_runner("local", None)
            tables: Tables | None = evaluate(
                opened, prepared.pictures, evaluating, anchor, prepared.ap
            )
            if tables is not None and tables.summary.empty:
                tables = None
            if tables is not None:
                write_report(opened, tables, anchor)
    finally:
        prepared.runner.close()
    return Run(opened, tables, anchor, performed.outcome, performed.unfinished, wall_s)


def plan(
    codecs: Sequence[CodecAsked] | None = None,
    *,
    dataset: str = "miniscapes",
    limit: int | None = None,
    rates: Sequence[str] = (),
    scales: Sequence[float] = (1,),
    options: Mapping[str, Mapping[str, str]] | None = None,
    analysis: str | None = "miniscapes",
    ap: str = "coco",
    device: str | None = None,
    bitstreams: str | Path | None = None,
    job_limit_s: float | None = None,
    runner: str = "local",
    jobs: int | None = None,
    out: str | Path = "results/run",
    command: str = "",
    options_file: str = "",
    on_progress: OnProgress = lambda done, jobs: None,
) -> Plan:
    """Return what `run` with the same arguments will take, from one image that is coded for real.

    What was done lies in the run folder, and the run goes on from there.

    Raises:
        UsageError: if it cannot be carried out as it was asked for, or a codec fails.
        CodecUnavailable: if a codec that was asked for cannot run here.
    """
    asked = {name: value for name, value in locals().items() if name in _SHOWN}
    experiment = _experiment(
        codecs, dataset, limit, rates, scales, options, analysis, ap, device, bitstreams,
        job_limit_s, command or _call(asked), options_file,
    )  # fmt: skip
    return plan_experiment(experiment, Path(out), runner, jobs, on_progress)


def open_run(
    path: str | Path, *, anchor: str = "vtm", ap: str | None = None, resample: str = RESAMPLED[0]
) -> Run:
    """Open a finished run and evaluate it; write nothing.

    Where the data set cannot be had as it was, the tables are those that the folder holds, and the
    log says so.

    Args:
        path: the run folder.
        anchor: codec that the others are compared to.
        ap: how the average precision of masks is computed, as for `run`; None for the run's own.
        resample: what bootstrap intervals are over: image, city or sequence.

    Raises:
        UsageError: if there is no finished run, its detections are not as they were written, or
            this AP cannot be computed for it.
    """
    folder = RunFolder(Path(path))
    before = read_summary(folder)
    opened = OpenedRun(folder)
    own = opened.manifest.ap
    other = ap if ap != own else None
    if ap and not own:
        raise UsageError(f"{path} was made without an analysis network: it has no AP")
    try:
        known = opened.manifest.images
        pictures = [its for its in opened.dataset.pictures if its.name in known]
        pictures = pictures[: int(before["images"].iloc[0])]
        opened.check([picture.name for picture in pictures])
    except UsageError as error:
        if other:
            raise
        _log.warning("without bootstrap intervals: %s", error)
        return Run(opened, stored_tables(opened), anchor, ap=None)
    tables = evaluate(opened, pictures, open_runner("local", None), anchor, ap or own, resample)
    return Run(opened, tables, anchor, ap=other)


def report(
    path: str | Path,
    *,
    anchor: str = "vtm",
    ap: str | None = None,
    external: Sequence[str] = (),
    resample: str = RESAMPLED[0],
) -> Run:
    """Evaluate a run folder again, write its tables and its report again, and return the run.

    Args:
        path: the run folder.
        anchor: codec that the others are compared to.
        ap: how the average precision of masks is computed, as for `run`; None for the run's own.
        resample: what bootstrap intervals are over: image, city or sequence.
        external: curves from elsewhere, NAME=FILE, that are drawn with the run's own.

    Raises:
        UsageError: if there is no finished run, this AP cannot be computed for it, or an external
            file holds no curve.
    """
    external_curves(external, sorted(set(read_summary(RunFolder(Path(path)))["codec"])))
    run = open_run(path, anchor=anchor, ap=ap, resample=resample)
    run.report(external=external)
    return run


_SHOWN = (
    "codecs", "dataset", "limit", "rates", "scales", "options", "analysis", "ap", "bitstreams",
    "out",
)  # fmt: skip
"""The arguments that a call is written down with."""


def _call(asked: Mapping[str, object]) -> str:
    """A call of `run` that asks for the same, without what is the default."""
    shown = []
    for name, value in asked.items():
        if name == "codecs" and isinstance(value, Sequence):
            names = [repr(its) if isinstance(its, str) else its.__qualname__ for its in value]
            shown.append(f"codecs=[{', '.join(names)}]")
        elif value != inspect.signature(run).parameters[name].default:
            plain = str(value) if isinstance(value, Path) else value
            shown.append(f"{name}={plain!r}")
    return f"benchmark.run({', '.join(shown)})"


def _experiment(
    codecs: Sequence[CodecAsked] | None,
    dataset: str,
    limit: int | None,
    rates: Sequence[str],
    scales: Sequence[float],
    options: Mapping[str, Mapping[str, str]] | None,
    analysis: str | None,
    ap: str,
    device: str | None,
    bitstreams: str | Path | None,
    job_limit_s: float | None,
    command: str,
    options_file: str,
) -> Experiment:
    if isinstance(codecs, str):
        raise UsageError(f"codecs={codecs!r}: a list is needed, [{codecs!r}]")
    if codecs is not None and not codecs:
        raise UsageError("codecs=[]: name some, or None for all that can run here")
    if limit is not None and limit < 1:
        raise UsageError(f"limit={limit}: a number above 0 is needed, or None for all images")
    given = {
        name: {key: str(value) for key, value in its.items()}
        for name, its in (options or {}).items()
    }
    return Experiment(
        dataset=dataset, limit=limit, codecs=codecs, codec_options=given, rates=list(rates),
        scales=scales_of(scales), analysis=analysis, ap=ap, device=device,
        bitstreams=Path(bitstreams) if bitstreams else None, job_limit_s=job_limit_s,
        command=command, options_file=options_file,
    )  # fmt: skip
