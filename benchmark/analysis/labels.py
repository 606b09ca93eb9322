"""Let the categories of analysis networks and data sets meet by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmark.analysis.analysis_network import AnalysisNetwork, Detection
from benchmark.datasets.class_names import class_of
from benchmark.datasets.dataset import Category, Dataset
from benchmark.errors import UsageError
from benchmark.image import Image

COCO_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "", "stop sign", "parking meter", "bench", "bird", "cat",
    "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "", "backpack",
    "umbrella", "", "", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "", "wine glass", "cup", "fork", "knife", "spoon", "bowl",
    "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut",
    "cake", "chair", "couch", "potted plant", "bed", "", "dining table", "", "", "toilet", "",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster",
    "sink", "refrigerator", "", "book", "clock", "vase", "scissors", "teddy bear", "hair drier",
    "toothbrush",
)  # fmt: skip
"""COCO's classes from the id 1 on; ids without a class are empty."""

COCO = tuple(Category(number, name) for number, name in enumerate(COCO_NAMES, 1) if name)
"""COCO's 80 classes with their ids."""


def common_name(name: str) -> str:
    """Return the name under which a class meets the same class of other data sets."""
    return class_of(name) or " ".join(name.casefold().replace("_", " ").split())


def matched(network: Sequence[Category], dataset: Sequence[Category]) -> dict[int, int]:
    """Return the data set's id of each of a network's classes that the data set has.

    Args:
        network: the network's categories.
        dataset: the data set's.
    """
    ids = {common_name(category.name): category.id for category in dataset}
    return {
        category.id: ids[name]
        for category in network
        if (name := common_name(category.name)) in ids
    }


def unknown_to(network: AnalysisNetwork, dataset: Dataset) -> list[str]:
    """Return the names of the data set's classes that a network does not have."""
    inner = network.network if isinstance(network, _InCategories) else network
    known = set(matched(inner.categories, dataset.categories).values())
    return [category.name for category in dataset.categories if category.id not in known]


def in_categories(network: AnalysisNetwork, categories: Sequence[Category]) -> AnalysisNetwork:
    """Return a network whose detections have the ids of a data set's categories.

    Detections of classes that the data set does not have are left out.

    Raises:
        UsageError: if network and data set have no class in common.
    """
    return _InCategories(network, categories)


class _InCategories(AnalysisNetwork):
    def __init__(self, network: AnalysisNetwork, categories: Sequence[Category]) -> None:
        self.network, self.name, self.categories = network, network.name, tuple(categories)
        self._ids = matched(network.categories, categories)
        if categories and not self._ids:
            raise UsageError(
                f"the analysis network {network.name} and the data set have no class in common: "
                f"the network has {_some(network.categories)}, the data set {_some(categories)}"
            )

    @classmethod
    def open(cls, where: str, device: str) -> AnalysisNetwork:
        """Not asked for by name."""
        raise NotImplementedError

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [
            [
                replace(one, category_id=self._ids[one.category_id])
                for one in found
                if one.category_id in self._ids
            ]
            for found in self.network.detect(images)
        ]

    def identity(self) -> dict[str, str]:
        return self.network.identity()


_NAMED = 12


def _some(categories: Sequence[Category]) -> str:
    more = f" and {len(categories) - _NAMED} more" if len(categories) > _NAMED else ""
    return ", ".join(category.name for category in categories[:_NAMED]) + more
