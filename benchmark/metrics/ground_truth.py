"""The ground truth of a run: built once, compared with the detections of every rate point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.dataset import Dataset, Picture
from benchmark.errors import UsageError
from benchmark.metrics.average_precision import AveragePrecision, GroundTruth
from benchmark.metrics.bootstrap import Counts
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


@dataclass(frozen=True)
class Judged:
    """What the detections of a rate point are worth.

    Attributes:
        qualities: all qualities of detections by column, and ``ap_CLASS`` and ``ap50_CLASS`` of
            each class, in percent.
        images: wAP of each image by itself in percent, by its id; none of Cityscapes' AP.
        resamples: wAP and AP50 in percent in each resample, of shape 2 x resamples.
    """

    qualities: Mapping[str, float]
    images: Mapping[int, float]
    resamples: NDArray[np.float64]


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

    def judge(
        self, detections: Mapping[int, Sequence[Detection]], counts: Counts | None = None
    ) -> Judged:
        """Compare detections with the instances; Cityscapes' AP has no sizes.

        Args:
            detections: what was found in each image, by the image's id in the data set.
            counts: resamples of the images by rising id (`benchmark.metrics.bootstrap.draw`).
        """
        masks = _NONE
        if _have_masks(detections):
            masks = self._masks.average_precision(detections, counts=counts)
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
        return Judged(overall | classes, masks.images, masks.resamples)


_NONE = AveragePrecision(math.nan, math.nan, {}, {})


def _have_masks(detections: Mapping[int, Sequence[Detection]]) -> bool:
    return all(its.counts is not None for found in detections.values() for its in found)
