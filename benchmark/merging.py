"""Merge run folders into a new one, with its tables and its report."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmark.api import Run
from benchmark.errors import UsageError
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.tables import Tables, evaluate
from benchmark.report.write import write_report
from benchmark.run.merge import Brought, merge_into, open_sources
from benchmark.run.run_folder import LOCK, RunFolder
from benchmark.runner import open_runner
from benchmark.system.files import UNFINISHED

_ANCHOR = "vtm"


def merge_runs(paths: Sequence[Path], out: Path) -> tuple[Run, list[Brought]]:
    """Write a run folder that holds the results of several; return it, and what each brought.

    All is written beside ``out``, under a name that begins with `UNFINISHED`, and gets its name
    when it is complete. What an ended process has left there is dropped by the next one.

    Args:
        paths: the run folders, which stay as they are.
        out: a folder that is new or empty.

    Raises:
        UsageError: if ``out`` cannot be that folder, the runs do not fit together, or their data
            set cannot be had as it was.
    """
    RunFolder(out).check_usable()
    if out.exists() and any(out.iterdir()):
        raise UsageError(
            f"{out} holds files, a merged run needs a new folder: choose another --out"
        )
    sources = open_sources(paths)
    place = out.resolve()
    unfinished = RunFolder(place.with_name(UNFINISHED + place.name))
    with unfinished.locked():
        try:
            _clear(unfinished.path)
            brought = merge_into(unfinished, sources)
            tables = _reported(OpenedRun(unfinished))
        except BaseException:
            shutil.rmtree(unfinished.path)
            raise
    unfinished.path.replace(place)
    return Run(OpenedRun(RunFolder(out)), tables, _ANCHOR), brought


def _clear(folder: Path) -> None:
    """Drop all but the lock that this process holds."""
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()


def _reported(run: OpenedRun) -> Tables | None:
    """The tables over all images, written with the report; None if no rate point has them all."""
    names = run.manifest.images
    pictures = [picture for picture in run.dataset.pictures if picture.name in names]
    run.check(names)
    tables = evaluate(run, pictures, open_runner("local", None), _ANCHOR, run.manifest.ap)
    if tables.summary.empty:
        return None
    write_report(run, tables, _ANCHOR)
    return tables
