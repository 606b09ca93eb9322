"""Average precision as the Cityscapes scripts compute it, from masks in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as scripts
from cityscapesscripts.helpers.labels import labels
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.dataset import Dataset, Picture, each_picture
from benchmark.errors import UsageError
from benchmark.metrics.average_precision import (
    AveragePrecision,
    average,
    encoded,
)
from benchmark.metrics.bootstrap import Counts, Matches, average_precisions, in_pieces

_SMALLEST = int(scripts.args.minRegionSizes[0])
"""Instances of fewer pixels are ignored, as groups are."""

_FIRST_INSTANCE = 1000
"""Instance ids below are label ids: of a group, or of a region without instances."""

_IOUS = np.asarray(scripts.args.overlaps)

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
        by_id = sorted(pictures, key=lambda picture: picture.id)
        found = each_picture(_annotation, dataset, by_id)
        self._annotations = {its.id: own for its, own in zip(by_id, found, strict=True)}
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

    def average_precision(
        self, detections: Mapping[int, Sequence[Detection]], counts: Counts | None = None
    ) -> AveragePrecision:
        """AP of the masks over IoU 0.50:0.05:0.95, of all detections.

        Args:
            detections: what was found in each image, by the image's id.
            counts: resamples of the images by rising id.
        """
        matches = [self._matches(category.id, detections) for category in self.categories]
        whole = np.ones((len(self._annotations), 1), np.int64)
        precisions = {
            category.id: cityscapes_average_precision(its, whole)[:, 0]
            for category, its in zip(self.categories, matches, strict=True)
        }
        overall = average(self.categories, self.instances, precisions)
        if counts is None:
            return overall
        drawn = average_precisions(matches, counts, cityscapes_average_precision)
        return replace(overall, resamples=np.array(drawn))

    def _matches(self, category_id: int, detections: Mapping[int, Sequence[Detection]]) -> Matches:
        """The matches of one class, as the scripts find them in each image."""
        score, image, outcomes, instances = [], [], [], []
        for index, (picture_id, annotation) in enumerate(self._annotations.items()):
            found = detections.get(picture_id, ())
            own = [its for its in found if its.category_id == category_id]
            objects = annotation.objects[category_id]
            score += [its.score for its in own]
            image += [index] * len(own)
            outcomes.append(_matched(objects, annotation.void, own))
            instances.append(sum(its.counted for its in objects))
        order = np.argsort(-np.array(score), kind="stable")
        right, ignored = np.concatenate(outcomes, axis=2)[..., order]
        return Matches(
            image=np.array(image, np.int64)[order],
            score=np.array(score)[order],
            right=right,
            ignored=ignored,
            instances=np.array(instances, np.int64),
        )


def cityscapes_average_precision(matches: Matches, counts: Counts) -> NDArray[np.float64]:
    """Average precision of one class, 0 to 1, of shape IoU thresholds x resamples.

    The scripts' integral: between two scores' points the recall's step counts with the mean of
    their precisions, and the curve begins at the recall 0 with the precision 1. It equals theirs on
    a data set that holds each image as often as the resample does; 0 without instances.
    """
    first = np.flatnonzero(np.diff(matches.score, prepend=np.inf))
    end = np.append(first, len(matches.score))[1:]
    group = np.repeat(np.arange(len(first)), end - first)
    pieces = []
    for piece in in_pieces(counts):
        weights = piece[matches.image]
        instances = np.maximum(matches.instances @ piece, 1)
        found = np.zeros((len(matches.right), piece.shape[1]))
        for threshold, (right, ignored) in enumerate(
            zip(matches.right, matches.ignored, strict=True)
        ):
            # only a score with a right detection makes a step
            steps = np.unique(group[right])
            true = _sums(weights, right)
            evaluated = _sums(weights, ~ignored)
            before, after = first[steps], end[steps]
            precisions = _precision(true, evaluated, before) + _precision(true, evaluated, after)
            found[threshold] = ((true[after] - true[before]) * precisions / 2).sum(axis=0)
        pieces.append(found / instances)
    return np.concatenate(pieces, axis=1)


def _sums(weights: Counts, which: NDArray[np.bool_]) -> Counts:
    """How many of some detections are among the first 0, 1, 2, ..., of each resample."""
    return np.vstack([np.zeros_like(weights[:1]), np.cumsum(weights * which[:, None], axis=0)])


def _precision(true: Counts, evaluated: Counts, number: NDArray[np.int64]) -> NDArray[np.float64]:
    """The precision of so many first detections, 1 of none."""
    of = evaluated[number]
    return np.where(of > 0, true[number] / np.maximum(of, 1), 1.0)


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


def _matched(
    objects: Sequence[_Object], void: Mapping[str, Any], detections: Sequence[Detection]
) -> NDArray[np.bool_]:
    """Whether detections of one class in an image are right, and whether they are ignored.

    Right is the best of those that overlap a counted instance by more than the threshold. Ignored
    are those that overlap a group or a small instance so, or lie in such regions and void ones with
    a larger part than the threshold, and those without a pixel.

    Returns:
        Of shape 2 x IoU thresholds x detections.
    """
    outcome = np.zeros((2, len(_IOUS), len(detections)), bool)
    if not detections:
        return outcome
    masks = [{"size": list(its.size), "counts": its.counts} for its in detections]
    areas = coco_mask.area(masks).astype(np.int64)
    shared = _intersections(masks, areas, [*(its.mask for its in objects), void])
    pixels = np.array([its.pixels for its in objects], np.int64)
    counted = np.array([its.counted for its in objects], bool)
    in_objects = shared[:, :-1]
    over = in_objects / (pixels + areas[:, None] - in_objects) > _IOUS[:, None, None]
    # the scripts count a group that is small as well twice
    ignored_times = np.array(
        [(its.id < _FIRST_INSTANCE) + (its.pixels < _SMALLEST) for its in objects], np.int64
    )
    ignored_part = (shared[:, -1] + in_objects @ ignored_times) / np.maximum(areas, 1)
    score = np.array([its.score for its in detections])
    best = np.where(over & counted, score[:, None], -np.inf).argmax(axis=1)
    threshold, found = np.nonzero((over & counted).any(axis=1))
    outcome[0, threshold, best[threshold, found]] = True
    elsewhere = ~over.any(axis=2)
    in_ignored = elsewhere & (ignored_part > _IOUS[:, None])
    outcome[1] = in_ignored | (~elsewhere & ~(over & counted).any(axis=2)) | (areas == 0)
    return outcome


def _intersections(
    masks: Sequence[Mapping[str, Any]],
    areas: NDArray[np.int64],
    regions: Sequence[Mapping[str, Any]],
) -> NDArray[np.int64]:
    """The number of pixels that each mask shares with each region, of shape masks x regions."""
    # for a crowd, pycocotools divides the intersection by the mask's own area
    shares = coco_mask.iou(masks, regions, [1] * len(regions))
    return np.rint(shares * areas[:, None]).astype(np.int64)
