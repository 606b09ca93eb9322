"""Weighted average precision (wAP) of instance masks."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmark.analysis.network import AnalysisNetwork, Detection
from benchmark.datasets.dataset import Dataset, Picture, read_image


@dataclass(frozen=True)
class AveragePrecision:
    """How well an analysis network did, all in percent.

    Attributes:
        wap: mean of the classes' AP, weighted by their numbers of instances.
        ap50: mean of the classes' AP at IoU 0.5, unweighted (COCO's AP50).
        classes: AP of each class that has instances, by its name.
    """

    wap: float
    ap50: float
    classes: Mapping[str, float]


class GroundTruth:
    """The instances of some images of a data set, ready to be compared with detections."""

    def __init__(self, dataset: Dataset, pictures: Sequence[Picture]) -> None:
        self.categories = dataset.categories
        self.picture_ids = [picture.id for picture in pictures]
        annotations = [
            annotation for picture in pictures for annotation in _annotations(dataset, picture)
        ]
        self._coco = _coco(
            {
                # pycocotools asks for a size, but masks that are encoded already have their own
                "images": [{"id": picture.id, "height": 0, "width": 0} for picture in pictures],
                "categories": [vars(category) for category in dataset.categories],
                "annotations": [
                    {"id": number, **annotation} for number, annotation in enumerate(annotations, 1)
                ],
            }
        )
        counted = [entry["category_id"] for entry in annotations if not entry["iscrowd"]]
        self.instances = {category.id: counted.count(category.id) for category in self.categories}
        """Number of instances of each class, by its id; ignored ones are not counted."""

    def average_precision(self, detections: Mapping[int, Sequence[Detection]]) -> AveragePrecision:
        """AP of the masks over IoU 0.50:0.05:0.95, at most 100 detections an image.

        Args:
            detections: what was found in each image, by the image's id.
        """
        precision = self._precision(detections)
        classes, at_half, weights = {}, [], []
        for index, category in enumerate(self.categories):
            if self.instances[category.id] == 0:
                continue
            weights.append(self.instances[category.id])
            classes[category.name] = 100 * float(precision[:, :, index].mean())
            at_half.append(100 * float(precision[0, :, index].mean()))
        if not weights:
            return AveragePrecision(float("nan"), float("nan"), {})
        wap = float(np.average(list(classes.values()), weights=weights))
        return AveragePrecision(wap, float(np.mean(at_half)), classes)

    def _precision(self, detections: Mapping[int, Sequence[Detection]]) -> np.ndarray:
        """Interpolated precision, of shape IoU thresholds (10) x recalls (101) x classes."""
        results = [
            coco_result(picture_id, detection)
            for picture_id in self.picture_ids
            for detection in detections.get(picture_id, ())
        ]
        if not results:
            return np.zeros((10, 101, len(self.categories)))
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(self._coco, self._coco.loadRes(results), "segm")
            evaluation.params.areaRng = evaluation.params.areaRng[:1]
            evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
            evaluation.params.maxDets = [100]
            evaluation.evaluate()
            evaluation.accumulate()
        return evaluation.eval["precision"][:, :, :, 0, 0]


def wap_of(network: AnalysisNetwork, dataset: Dataset) -> float:
    """wAP in percent of a network on the uncompressed images of a data set."""
    found = {
        picture.id: network.detect([read_image(picture.path)])[0] for picture in dataset.pictures
    }
    return GroundTruth(dataset, dataset.pictures).average_precision(found).wap


def coco_result(picture_id: int, detection: Detection) -> dict[str, Any]:
    """A detection as an entry of COCO's result format."""
    return {
        "image_id": picture_id,
        "category_id": detection.category_id,
        "score": detection.score,
        "bbox": list(detection.box),
        "segmentation": {"size": list(detection.size), "counts": detection.counts},
    }


def _annotations(dataset: Dataset, picture: Picture) -> list[dict[str, Any]]:
    found = []
    for instance in dataset.instances(picture):
        encoded = coco_mask.encode(np.asfortranarray(instance.mask, dtype=np.uint8))
        area = int(instance.mask.sum())
        found.append(
            {
                "image_id": picture.id,
                "category_id": instance.category_id,
                "segmentation": encoded,
                "area": area,
                "bbox": coco_mask.toBbox(encoded).tolist(),
                "iscrowd": int(instance.ignored),
            }
        )
    return found


def _coco(annotations: dict[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = annotations
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco
