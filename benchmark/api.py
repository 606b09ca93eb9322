"""Runs, plans and reports: what the command line and the Python API do."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.evaluation.external_curves import external_curves
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.tables import Tables, evaluate, read_summary, stored_tables
from benchmark.report.write import write_report
from benchmark.run.carry_out import OnProgress, RunOutcome
from benchmark.run.experiment import Experiment, perform, prepare
from benchmark.run.run_folder import RunFolder
from benchmark.runner import open_runner

_log = logging.getLogger("benchmark")


@dataclass(frozen=True)
class RunResult:
    """What came out of an experiment.

    Attributes:
        run: the run folder, opened.
        tables: None where no rate point has all images.
        outcome: what was done.
        unfinished: the rate points that were asked for and lack results, CODEC RATE.
        wall_s: seconds that the jobs took.
    """

    run: OpenedRun
    tables: Tables | None
    outcome: RunOutcome
    unfinished: Sequence[str]
    wall_s: float


def run_experiment(
    experiment: Experiment,
    out: Path,
    *,
    anchor: str = "vtm",
    runner: str = "local",
    jobs: int | None = None,
    on_progress: OnProgress = lambda done, jobs: None,
) -> RunResult:
    """Carry out an experiment, and write its run folder with tables and report.

    Args:
        experiment: what is asked for.
        out: the run folder; it goes on from what it holds.
        anchor: codec that the others are compared to.
        runner: where to work.
        jobs: number of jobs that are worked on at once; None for one a core.
        on_progress: is told of each job that ends.

    Raises:
        UsageError: if it cannot be carried out as it was asked for.
    """
    started = time.perf_counter()
    prepared = prepare(experiment, out, runner, jobs)
    with prepared.folder.locked():
        performed = perform(prepared, on_progress)
        wall_s = time.perf_counter() - started
        run = OpenedRun(prepared.folder, prepared.dataset)
        tables: Tables | None = evaluate(
            run, prepared.pictures, prepared.runner, anchor, prepared.ap
        )
        if tables is not None and tables.summary.empty:
            tables = None
        if tables is not None:
            write_report(run, tables, anchor)
    prepared.runner.close()
    return RunResult(run, tables, performed.outcome, performed.unfinished, wall_s)


def report_run(
    path: Path, *, anchor: str = "vtm", ap: str | None = None, external: Sequence[str] = ()
) -> Tables:
    """Evaluate a run folder again, and write its tables and its report again.

    Where the data set cannot be had as it was, the tables stay as they are, and the log says so.

    Args:
        path: the run folder.
        anchor: codec that the others are compared to.
        ap: whose average precision is shown, coco or cityscapes; None for the run's own.
        external: curves from elsewhere, NAME=FILE, that are drawn with the run's own.

    Raises:
        UsageError: if there is no finished run, this AP cannot be computed for it, or an external
            file holds no curve.
    """
    folder = RunFolder(path)
    before = read_summary(folder)
    run = OpenedRun(folder)
    with folder.locked():
        drawn = external_curves(external, sorted(set(before["codec"])))
        own = run.manifest.ap
        if ap and not own:
            raise UsageError(f"{path} was made without an analysis network: it has no AP")
        try:
            known = run.manifest.images
            pictures = [its for its in run.dataset.pictures if its.name in known]
            pictures = pictures[: int(before["images"].iloc[0])]
            run.check([picture.name for picture in pictures])
            tables = evaluate(run, pictures, open_runner("local", None), anchor, ap or own)
        except UsageError as error:
            if ap and ap != own:
                raise
            _log.warning("without bootstrap intervals: %s", error)
            tables = stored_tables(run)
        else:
            if ap and ap != own:
                run.write_ap(ap)
        write_report(run, tables, anchor, drawn)
    return tables
