"""Average precision as the Cityscapes scripts compute it, from masks in memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as scripts
from cityscapesscripts.helpers.labels import labels
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.dataset import Dataset, Picture
from benchmark.errors import UsageError
from benchmark.metrics.average_precision import AveragePrecision, average, encoded

_SMALLEST = int(scripts.args.minRegionSizes[0])
"""Instances of fewer pixels are ignored, as groups are."""

_FIRST_INSTANCE = 1000
"""Instance ids below are label ids: of a group, or of a region without instances."""

_VOID = [label.id for label in labels if label.ignoreInEval]


@dataclass(frozen=True)
class _Object:
    """An instance or a group; ``mask`` is in pycocotools' run-length form."""

    id: int
    pixels: int
    mask: Mapping[str, Any]

    @property
    def counted(self) -> bool:
        return self.id >= _FIRST_INSTANCE and self.pixels >= _SMALLEST

    def entry(self) -> dict[str, Any]:
        """As the scripts describe an instance; there are no distances."""
        return {"instID": self.id, "pixelCount": self.pixels, "medDist": -1, "distConf": 0.0}


@dataclass(frozen=True)
class _Annotation:
    """The objects of an image by their class's id, and the pixels that are not evaluated."""

    objects: Mapping[int, Sequence[_Object]]
    void: Mapping[str, Any]


class CityscapesGroundTruth:
    """The instances of some images in Cityscapes' layout, ready to be compared with detections.

    Raises:
        UsageError: if the data set has no instance ids.
    """

    def __init__(self, dataset: Dataset, pictures: Sequence[Picture]) -> None:
        self.categories = dataset.categories
        self._annotations = {picture.id: _annotation(dataset, picture) for picture in pictures}
        self.instances = {
            category.id: sum(
                an_object.counted
                for annotation in self._annotations.values()
                for an_object in annotation.objects[category.id]
            )
            for category in self.categories
        }
        """Number of instances of each class, by its id, without groups and those under 100 pixels,
        which the scripts ignore."""

    def average_precision(self, detections: Mapping[int, Sequence[Detection]]) -> AveragePrecision:
        """AP of the masks over IoU 0.50:0.05:0.95, of all detections.

        Args:
            detections: what was found in each image, by the image's id.
        """
        matches = {
            picture_id: self._match(annotation, detections.get(picture_id, ()))
            for picture_id, annotation in self._annotations.items()
        }
        arguments = copy.copy(scripts.args)
        arguments.instLabels = [category.name for category in self.categories]
        precisions = scripts.evaluateMatches(matches, arguments)[0]
        by_category = dict(zip((c.id for c in self.categories), precisions, strict=True))
        return average(self.categories, self.instances, by_category)

    def _match(self, annotation: _Annotation, detections: Sequence[Detection]) -> dict[str, Any]:
        """The objects and detections of an image with their overlaps, as the scripts keep them."""
        truth, found = {}, {}
        for category in self.categories:
            truth[category.name], found[category.name] = _overlaps(
                annotation.objects[category.id],
                annotation.void,
                [detection for detection in detections if detection.category_id == category.id],
            )
        return {"groundTruth": truth, "prediction": found}


def check_instance_ids(dataset: Dataset) -> None:
    """Raises a `UsageError` if a data set has no instance ids, which Cityscapes' AP needs."""
    if not isinstance(dataset, Cityscapes):
        raise UsageError(
            f"Cityscapes' AP needs the void regions in Cityscapes' instance ids, the data set "
            f"{dataset.name} has none: use --ap coco"
        )


def _annotation(dataset: Dataset, picture: Picture) -> _Annotation:
    check_instance_ids(dataset)
    assert isinstance(dataset, Cityscapes)
    # not from the data set's instances: these leave out the void regions
    ids = dataset.instance_ids(picture)
    objects: dict[int, list[_Object]] = {category.id: [] for category in dataset.categories}
    pixels = np.bincount(ids.ravel())
    for value in map(int, np.flatnonzero(pixels)):
        label = value // _FIRST_INSTANCE if value >= _FIRST_INSTANCE else value
        if label in objects:
            objects[label].append(_Object(value, int(pixels[value]), encoded(ids == value)))
    return _Annotation(objects, encoded(np.isin(ids, _VOID)))


def _overlaps(
    objects: Sequence[_Object], void: Mapping[str, Any], detections: Sequence[Detection]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The objects and detections of one class in an image, each with those that it overlaps."""
    truth = [{**an_object.entry(), "matchedPred": []} for an_object in objects]
    found: list[dict[str, Any]] = []
    masks = [{"size": list(it.size), "counts": it.counts} for it in detections]
    if not masks:
        return truth, found
    areas = coco_mask.area(masks)
    shared = _intersections(masks, areas, [*(an_object.mask for an_object in objects), void])
    for detection, area, (*in_objects, in_void) in zip(detections, areas, shared, strict=True):
        if area == 0:
            continue
        prediction = {
            "pixelCount": int(area),
            "confidence": detection.score,
            "voidIntersection": int(in_void),
        }
        matched = []
        for entry, an_object, pixels in zip(truth, objects, in_objects, strict=True):
            if pixels:
                matched.append({**an_object.entry(), "intersection": int(pixels)})
                entry["matchedPred"].append({**prediction, "intersection": int(pixels)})
        found.append({**prediction, "matchedGt": matched})
    return truth, found


def _intersections(
    masks: Sequence[Mapping[str, Any]],
    areas: NDArray[np.uint32],
    regions: Sequence[Mapping[str, Any]],
) -> NDArray[np.int64]:
    """The number of pixels that each mask shares with each region, of shape masks x regions."""
    # for a crowd, pycocotools divides the intersection by the mask's own area
    shares = coco_mask.iou(masks, regions, [1] * len(regions))
    return np.rint(shares * areas[:, None]).astype(np.int64)
