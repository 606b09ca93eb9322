"""The ground truth of a run: built once, compared with the detections of every rate point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.dataset import Dataset, Picture
from benchmark.errors import UsageError
from benchmark.metrics.average_precision import AveragePrecision, GroundTruth
from benchmark.metrics.qualities import QUALITIES, Needs

DETECTED = "detections"
"""The kind of AP whose truth is what is found in the uncompressed images: COCO's otherwise."""

AP_NAMES = {
    "coco": "COCO",
    "cityscapes": "Cityscapes",
    DETECTED: "COCO, against detections",
}
"""The kinds of average precision of masks, and whose they are."""


def check_ap(ap: str, dataset: Dataset) -> None:
    """Raise a `UsageError` if a kind of AP (`AP_NAMES`) has no meaning on a data set."""
    if ap == "cityscapes":
        from benchmark.metrics.cityscapes_ap import check_instance_ids

        check_instance_ids(dataset)


class RunTruth:
    """The instances of a run's images, for all qualities of detections."""

    def __init__(self, dataset: Dataset, pictures: Sequence[Picture], ap: str) -> None:
        """Read all instances.

        Args:
            dataset: of the run; for `DETECTED` with what was found as its instances.
            pictures: those of its images that are evaluated.
            ap: how the average precision of masks is computed, a key of `AP_NAMES`.

        Raises:
            UsageError: if this AP has no meaning on the data set.
        """
        check_ap(ap, dataset)
        if not dataset.categories:
            raise UsageError(
                f"the data set {dataset.name} has no annotations to compare detections with: use "
                "--truth detections"
            )
        self.ap = ap
        self.class_names = [category.name for category in dataset.categories]
        self.coco = GroundTruth(dataset, pictures)
        self._masks: Any = self.coco
        if ap == "cityscapes":
            from benchmark.metrics.cityscapes_ap import CityscapesGroundTruth

            self._masks = CityscapesGroundTruth(dataset, pictures)

    def qualities(
        self, detections: Mapping[int, Sequence[Detection]]
    ) -> tuple[dict[str, float], Mapping[int, float]]:
        """Return all qualities of detections by column, and the wAP of single images.

        Besides those of `QUALITIES` there are ``ap_CLASS`` and ``ap50_CLASS`` of each class. The
        images' are in percent, by their ids; Cityscapes' AP has neither these nor sizes.

        Args:
            detections: what was found in each image, by the image's id in the data set.
        """
        masks = self._masks.average_precision(detections) if _have_masks(detections) else _NONE
        found = {Needs.MASKS: masks, Needs.BOXES: self.coco.average_precision(detections, "bbox")}
        overall = {
            name: float(getattr(found[quality.needs], quality.function))
            for name, quality in QUALITIES.items()
            if quality.of_detections
        }
        classes = {
            f"{column}_{name}": values.get(name, math.nan)
            for column, values in (("ap", masks.classes), ("ap50", masks.classes_50))
            for name in self.class_names
        }
        return overall | classes, masks.images


_NONE = AveragePrecision(math.nan, math.nan, {}, {})


def _have_masks(detections: Mapping[int, Sequence[Detection]]) -> bool:
    return all(its.counts is not None for found in detections.values() for its in found)
