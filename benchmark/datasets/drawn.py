"""Miniscapes as a data set that can be asked for by name."""

from __future__ import annotations

from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.dataset import Dataset


class Miniscapes(Cityscapes):
    """Street scenes that this package draws, in Cityscapes' file layout."""

    # Beside the folder of the drawing code, any edit of which draws all scenes anew.

    name = "miniscapes"
    where = ""

    @classmethod
    def open(cls, where: str) -> Dataset:
        from benchmark.datasets.miniscapes.split import miniscapes

        return miniscapes("val")

    @classmethod
    def open_training(cls, where: str, images: int) -> tuple[Dataset, Dataset]:
        from benchmark.datasets.miniscapes.split import miniscapes

        return miniscapes("train", images), miniscapes("val")
