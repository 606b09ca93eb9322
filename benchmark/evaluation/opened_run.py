"""A run folder opened for evaluation, with the data set that it was made on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property

import msgspec

from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import Category, Dataset, Picture, fingerprint
from benchmark.errors import UsageError
from benchmark.run.manifest import Manifest
from benchmark.run.record import Record
from benchmark.run.run_folder import RunFolder


class OpenedRun:
    """A run folder, its manifest and records, and the images that it was made on."""

    def __init__(self, folder: RunFolder, dataset: Dataset | None = None) -> None:
        """Read the manifest.

        Args:
            folder: the run folder.
            dataset: the data set, where its images have been checked already.

        Raises:
            UsageError: if the folder holds no run, or one of a newer format.
        """
        self.folder = folder
        self.manifest: Manifest = folder.finished_manifest()
        self._given = dataset
        self._checked: set[str] = set()

    @cached_property
    def records(self) -> list[Record]:
        """All records, in the order of their lines."""
        return self.folder.records()

    @cached_property
    def dataset(self) -> Dataset:
        """The data set of the run.

        Raises:
            UsageError: if it cannot be opened here.
        """
        return self._given or open_dataset(self.manifest.dataset.spec)

    @property
    def categories(self) -> Sequence[Category]:
        """The classes of the detections: the data set's, or the network's where it has none."""
        own = self.manifest.analysis.categories
        return self.dataset.categories or [Category(id_, name) for name, id_ in own.items()]

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """The run's images by name, as the data set has them."""
        names = {record.image for record in self.records}
        return {picture.name: picture for picture in self.dataset.pictures if picture.name in names}

    def check(self, names: Collection[str]) -> None:
        """Raise a `UsageError` if images or their annotations are not those of the run."""
        if self._given is not None:
            return
        known = self.manifest.images
        for name in names:
            if name in self._checked:
                continue
            now = fingerprint(self.dataset, self.pictures[name]) if name in self.pictures else None
            then = known.get(name)
            if now is None or then is None or (now.pixels, now.annotations) != (
                then.pixels, then.annotations,
            ):  # fmt: skip
                raise UsageError(
                    f"image {name} of {self.manifest.dataset.spec}, or its annotations, are not "
                    f"those that {self.folder.path} was made with: bring back the data set as it "
                    "was"
                )
            self._checked.add(name)

    def write_ap(self, ap: str) -> None:
        """Note in the manifest whose average precision the tables hold (`AP_NAMES`)."""
        self.manifest = msgspec.structs.replace(self.manifest, ap=ap)
        self.folder.write_manifest(self.manifest)

    def commands(self, codec: str) -> list[str]:
        """Return the commands that made a codec's records, in their order."""
        numbers = [record.invocation for record in self.records if record.codec == codec]
        return self.manifest.commands(numbers)
