"""What a run has found so far: shown and written while it goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

from benchmark.errors import UsageError
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.tables import Tables, evaluate
from benchmark.report.text import preliminary_text
from benchmark.report.write import write_preliminary_report
from benchmark.run.experiment import Prepared
from benchmark.runner import HereRunner

_FIRST_AFTER_S = 15.0
_LARGEST_SHARE = 0.02
"""Of the time that passes, what preliminary tables may take."""

_log = logging.getLogger("benchmark")


class PreliminaryTables(AbstractContextManager["PreliminaryTables"]):
    """Evaluates the images that have all results, seldom enough to cost a run next to nothing.

    A thread of its own evaluates, so that workers get their next jobs meanwhile. The deltas go to
    the log, all of it to ``report.html``; the run's tables are written at its end only. Leaving
    the context waits for the thread.
    """

    def __init__(self, prepared: Prepared, anchor: str) -> None:
        """Begin a run now."""
        self._prepared, self._anchor = prepared, anchor
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="preliminary")
        self._working: Future[None] | None = None
        self._next = time.monotonic() + _FIRST_AFTER_S

    def __exit__(self, *raised: object) -> None:
        self._thread.shutdown()

    def show(self, left: Collection[str]) -> None:
        """Begin to show what there is if it is time.

        Args:
            left: names of the images that lack results.
        """
        working = self._working and not self._working.done()
        if not working and time.monotonic() >= self._next:
            self._working = self._thread.submit(self._show, frozenset(left))

    def _show(self, left: Collection[str]) -> None:
        began = time.monotonic()
        all_ = self._prepared.pictures
        pictures = [picture for picture in all_ if picture.name not in left]
        clock = time.strftime("%H:%M:%S")
        how_far = f"{len(pictures)} of {len(all_)} images at {clock}; the run goes on"
        opened = OpenedRun(self._prepared.folder, self._prepared.dataset)
        try:
            tables = evaluate(
                opened, pictures, HereRunner(), self._anchor, self._prepared.ap,
                preliminary=how_far,
            )  # fmt: skip
            self._tell(opened, tables)
        except UsageError as error:
            _log.info("no preliminary table: %s", error)
        except Exception as error:  # the jobs go on; the final tables will say it again
            _log.warning("no preliminary table: %s: %s", type(error).__name__, error)
        ended = time.monotonic()
        self._next = ended + (ended - began) / _LARGEST_SHARE

    def _tell(self, opened: OpenedRun, tables: Tables) -> None:
        if tables.summary.empty:
            return
        write_preliminary_report(opened, tables, self._anchor)
        _log.info(
            "%s\nReport so far: %s",
            preliminary_text(tables, self._anchor),
            opened.folder.path / "report.html",
        )
