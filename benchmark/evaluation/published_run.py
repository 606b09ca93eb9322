"""The published run, as the anchor of runs on machines that cannot make it themselves."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from pathlib import Path

from benchmark.evaluation.opened_run import OpenedRun
from benchmark.run.manifest import ImageEntry, Manifest
from benchmark.run.run_folder import RunFolder


def published_folder() -> RunFolder:
    """Return the folder of the run on Miniscapes that the package carries."""
    return RunFolder(Path(str(importlib.resources.files("benchmark.results"))) / "miniscapes")


def published_anchor(anchor: str, run: OpenedRun) -> OpenedRun | None:
    """Return the published run if it can lend a run the anchor's curve, else None.

    It can if its analysis network and the run's images are the same.

    Args:
        anchor: the codec of which the run has no curve.
        run: the run.
    """
    folder = published_folder()
    if not (folder.path / "run.json").is_file():
        return None
    published = OpenedRun(folder, run.dataset)
    if anchor not in published.manifest.codecs:
        return None
    return published if _same_setting(published.manifest, run.manifest) else None


def _same_setting(published: Manifest, run: Manifest) -> bool:
    images = _hashes(published.images)
    return published.analysis.identity == run.analysis.identity and all(
        images.get(name) == hashes for name, hashes in _hashes(run.images).items()
    )


def _hashes(images: Mapping[str, ImageEntry]) -> dict[str, tuple[str, str]]:
    return {name: (image.pixels, image.annotations) for name, image in images.items()}
