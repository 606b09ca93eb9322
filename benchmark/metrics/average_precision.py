"""Weighted average precision (wAP) of instance masks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval

from benchmark.analysis.analysis_network import AnalysisNetwork, Detection
from benchmark.datasets.dataset import Category, Dataset, Picture, each_picture, read_image
from benchmark.metrics.bootstrap import (
    Counts,
    average_precisions,
    coco_average_precision,
    matches_of,
)
from benchmark.metrics.coco_evaluation import SIZES, accumulate, coco, load_results, match
from benchmark.metrics.single_images import wap_of_images


@dataclass(frozen=True)
class AveragePrecision:
    """How well an analysis network did, all in percent; NaN where there are no such instances.

    Attributes:
        wap: mean of the classes' AP, weighted by their numbers of instances.
        ap50: mean of the classes' AP at IoU 0.5, unweighted.
        classes: AP of each class that has instances, by its name.
        classes_50: the same at IoU 0.5.
        small, medium, large: wAP of the instances of one of COCO's sizes
            (`benchmark.metrics.coco_evaluation.SIZES`), weighted by their numbers of that size.
        recall: mean over IoU 0.50:0.05:0.95 and the classes, weighted as in wAP, of the share of
            instances that are found: COCO's AR for at most 100 detections.
        images: wAP of each image with instances by itself, by its id; weighted by its own.
        resamples: wap and ap50 in each resample (`benchmark.metrics.bootstrap`), of shape
            2 x resamples.
    """

    wap: float
    ap50: float
    classes: Mapping[str, float]
    classes_50: Mapping[str, float]
    small: float = math.nan
    medium: float = math.nan
    large: float = math.nan
    recall: float = math.nan
    images: Mapping[int, float] = field(default_factory=dict)
    resamples: NDArray[np.float64] = field(default_factory=lambda: np.empty((2, 0)))


class GroundTruth:
    """The instances of some images of a data set, ready to be compared as COCO compares them."""

    def __init__(self, dataset: Dataset, pictures: Sequence[Picture]) -> None:
        self.categories = dataset.categories
        self.picture_ids = [picture.id for picture in pictures]
        of_images = each_picture(_annotations, dataset, pictures)
        annotations = [annotation for its in of_images for annotation in its]
        self._coco = coco(
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
        self._of_size = {
            size: [
                sum(
                    low <= entry["area"] <= high
                    for entry in annotations
                    if entry["category_id"] == category.id and not entry["iscrowd"]
                )
                for category in self.categories
            ]
            for size, (low, high) in SIZES.items()
        }

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Images, categories and annotations in COCO's format, masks run-length encoded."""
        return self._coco.dataset

    def average_precision(
        self,
        detections: Mapping[int, Sequence[Detection]],
        kind: str = "segm",
        counts: Counts | None = None,
    ) -> AveragePrecision:
        """Return AP over IoU 0.50:0.05:0.95, at most 100 detections per image and class.

        Args:
            detections: what was found in each image, by the image's id.
            kind: ``segm`` compares masks, ``bbox`` boxes; the box of an instance is that of its
                mask.
            counts: resamples of the images by rising id, of masks only.
        """
        results = [
            detection.to_coco(picture_id)
            for picture_id in self.picture_ids
            for detection in detections.get(picture_id, ())
        ]
        if results:
            found = load_results(self._coco, results)
        else:  # which pycocotools does not read
            found = coco({**self.annotations, "annotations": []})
        if kind == "bbox":
            return self._overall(accumulate(match(self._coco, found, kind))[0])
        evaluation = match(self._coco, found, kind, list(SIZES))
        precision, recall = accumulate(evaluation)
        by_size = {
            size: _weighted(precision[..., index].mean(axis=(0, 1)), self._of_size[size])
            for index, size in enumerate(SIZES)
        }
        return replace(
            self._overall(precision),
            small=by_size["small"],
            medium=by_size["medium"],
            large=by_size["large"],
            recall=_weighted(recall[..., 0].mean(axis=0), self._of_size["all"]),
            images=wap_of_images(evaluation),
            resamples=self._resampled(evaluation, counts),
        )

    def _resampled(self, evaluation: COCOeval, counts: Counts | None) -> NDArray[np.float64]:
        if counts is None:
            return np.empty((2, 0))
        matches = matches_of(evaluation)
        return np.array(average_precisions(matches, counts, coco_average_precision))

    def _overall(self, precision: NDArray[np.float64]) -> AveragePrecision:
        by_category = {
            category.id: precision[:, :, index, 0].mean(axis=1)
            for index, category in enumerate(self.categories)
        }
        return average(self.categories, self.instances, by_category)


def average(
    categories: Sequence[Category],
    instances: Mapping[int, int],
    precisions: Mapping[int, NDArray[np.float64]],
) -> AveragePrecision:
    """wAP, AP50 and the classes' AP; classes without instances are left out.

    Args:
        categories: the classes.
        instances: number of instances of each class, by its id.
        precisions: AP of each class at IoU 0.5, 0.55, ..., 0.95, by its id, from 0 to 1.
    """
    counted = [category for category in categories if instances[category.id]]
    classes = {category.name: 100 * float(precisions[category.id].mean()) for category in counted}
    at_half = {category.name: 100 * float(precisions[category.id][0]) for category in counted}
    return AveragePrecision(
        wap=_weighted(
            [precisions[category.id].mean() for category in counted],
            [instances[category.id] for category in counted],
        ),
        ap50=float(np.mean(list(at_half.values()))) if counted else math.nan,
        classes=classes,
        classes_50=at_half,
    )


def _weighted(values: Sequence[float] | NDArray[np.float64], weights: Sequence[float]) -> float:
    """The weighted mean of values from 0 to 1, in percent; NaN where all weights are 0."""
    return 100 * float(np.average(values, weights=weights)) if np.any(weights) else math.nan


def encoded(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """A mask (H x W) in pycocotools' run-length form."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    pixels = np.zeros(mask.shape, np.uint8, order="F")
    if rows.size:
        # to turn the whole image would take most of the time
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        pixels[part] = mask[part]
    return coco_mask.encode(pixels)


def wap_of(network: AnalysisNetwork, dataset: Dataset) -> float:
    """wAP in percent of a network on the uncompressed images of a data set."""
    found = {
        picture.id: network.detect([read_image(picture.path)])[0] for picture in dataset.pictures
    }
    return GroundTruth(dataset, dataset.pictures).average_precision(found).wap


def _annotations(dataset: Dataset, picture: Picture) -> list[dict[str, Any]]:
    found = []
    for instance in dataset.instances(picture):
        mask = encoded(instance.mask)
        found.append(
            {
                "image_id": picture.id,
                "category_id": instance.category_id,
                "segmentation": mask,
                "area": int(coco_mask.area(mask)),
                "bbox": coco_mask.toBbox(mask).tolist(),
                "iscrowd": int(instance.ignored),
            }
        )
    return found
