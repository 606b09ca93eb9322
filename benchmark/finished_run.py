"""A run folder with its results, as the Python API hands it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchmark.errors import UsageError
from benchmark.evaluation.external_curves import external_curves
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.tables import Tables
from benchmark.report.curve_plots import draw_curves
from benchmark.report.write import write_report
from benchmark.run.carry_out import RunOutcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Run:
    """A run folder with its results.

    Attributes:
        path: the run folder.
        anchor: the codec that the others are compared to, where nothing else is asked for.
        tables: all tables, and the notes on them; None where no rate point has all images.
        outcome: what `run` did; None where the folder was only opened.
        unfinished: the rate points that were asked for and lack results, CODEC RATE.
        wall_s: seconds that `run` took for its jobs; 0 where the folder was only opened.
    """

    def __init__(
        self,
        opened: OpenedRun,
        tables: Tables | None,
        anchor: str,
        outcome: RunOutcome | None = None,
        unfinished: Sequence[str] = (),
        wall_s: float = 0.0,
        ap: str | None = None,
    ) -> None:
        """Hold results; ``ap`` is whose AP they have, where it is not the one of the manifest."""
        self._opened, self._ap = opened, ap
        self.path: Path = opened.folder.path
        self.tables, self.anchor, self.outcome = tables, anchor, outcome
        self.unfinished, self.wall_s = list(unfinished), wall_s

    def __repr__(self) -> str:
        names = ", ".join(dict.fromkeys(self.summary["codec"])) if self.tables else "no results"
        return f"<Run {self.path}: {names}>"

    @property
    def summary(self) -> pd.DataFrame:
        """One row per codec and rate point, as in ``summary.csv``.

        Raises:
            UsageError: if no rate point has all images.
        """
        return self._finished().summary

    @property
    def records(self) -> pd.DataFrame:
        """One row per codec, rate point and image, with bpp and all qualities of the image."""
        rows = []
        for record in self._opened.records:
            values = {name: getattr(record, name) for name in record.__struct_fields__}
            values.pop("unknown", None)
            qualities = values.pop("qualities")
            rows.append(values | {"bpp": record.bpp} | qualities)
        return pd.DataFrame(rows)

    def deltas(self, anchor: str | None = None) -> pd.DataFrame:
        """Return the Bjontegaard delta rates against a codec, as in ``bd_rate.csv``.

        Args:
            anchor: the codec; None for the run's.

        Raises:
            UsageError: if no rate point has all images, or the anchor has no results.
        """
        anchor = anchor or self.anchor
        known = dict.fromkeys(self.summary["codec"])
        if anchor not in known:
            raise UsageError(f"{self.path} has no codec {anchor!r}: it has {', '.join(known)}")
        return self._finished().against(anchor)

    def figure(self, external: Sequence[str] = ()) -> Figure:
        """Return the curves of all codecs as a Matplotlib figure.

        Args:
            external: curves from elsewhere, NAME=FILE, to draw too.

        Raises:
            UsageError: if no rate point has all images, or an external file holds no curve.
        """
        drawn = external_curves(external, sorted(set(self.summary["codec"])))
        return draw_curves(pd.concat([self.summary, *drawn], ignore_index=True))

    def report(self, anchor: str | None = None, external: Sequence[str] = ()) -> Path:
        """Write tables, curves and the page that shows all; return the page's path.

        Args:
            anchor: codec that the others are compared to; None for the run's.
            external: curves from elsewhere, NAME=FILE, that are drawn with the run's own.

        Raises:
            UsageError: if no rate point has all images, or an external file holds no curve.
        """
        tables = self._finished()
        drawn = external_curves(external, sorted(set(tables.summary["codec"])))
        with self._opened.folder.locked():
            if self._ap:
                self._opened.write_ap(self._ap)
            write_report(self._opened, tables, anchor or self.anchor, drawn)
        return self.path / "report.html"

    def _finished(self) -> Tables:
        if self.tables is None:
            raise UsageError(f"{self.path} holds no rate point of all images")
        return self.tables
