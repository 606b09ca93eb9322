"""What a run has found so far: shown and written while it goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

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


class PreliminaryTables:
    """Evaluates the images that have all results, seldom enough to cost a run next to nothing.

    The deltas go to the log, all of it to ``report.html``; the run's tables are written at its
    end only.
    """

    def __init__(self, prepared: Prepared, anchor: str) -> None:
        """Begin a run now."""
        self._prepared, self._anchor = prepared, anchor
        self._started = time.monotonic()
        self._next = self._started + _FIRST_AFTER_S

    def show(self, left: Collection[str]) -> None:
        """Show what there is if it is time.

        Args:
            left: names of the images that lack results.
        """
        began = time.monotonic()
        if began < self._next:
            return
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
