"""The published run, as the anchor of runs on machines that cannot make it themselves."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.datasets.dataset import Dataset, Picture
from benchmark.evaluation.summary import summarize
from benchmark.run.run_folder import RunFolder
from benchmark.runner import Runner


def with_published_anchor(
    summary: pd.DataFrame,
    anchor: str,
    manifest: Mapping[str, Any],
    dataset: Dataset,
    pictures: Sequence[Picture],
    runner: Runner,
    ap: str | None,
) -> pd.DataFrame:
    """Adds the anchor's published curve to a run that has no curve of it.

    The published records and detections are evaluated on the run's own images. They are taken
    only if the images and the analysis network are the same. A column ``source`` tells
    ``measured`` and ``published`` lines apart.
    """
    summary = summary.assign(source="measured")
    if anchor in set(summary["codec"]):
        return summary
    published = published_run()
    if not (published.path / "run.json").is_file():
        return summary
    if not _same_setting(published.manifest(), manifest):
        return summary
    records = [record for record in published.records() if record.codec == anchor]
    lines = summarize(published, records, dataset, pictures, runner, ap=ap)
    if lines.empty:
        return summary
    return pd.concat([summary, lines.assign(source="published")], ignore_index=True)


def published_run() -> RunFolder:
    """The run on Miniscapes that the package carries."""
    return RunFolder(Path(str(importlib.resources.files("benchmark.results"))) / "miniscapes")


def _same_setting(published: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    images = published["dataset"]["images"]
    return published["analysis"]["identity"] == run["analysis"]["identity"] and all(
        images.get(name) == fingerprint for name, fingerprint in run["dataset"]["images"].items()
    )
