"""Choose the anchors and regions that Detectron2's training losses are computed of.

As Detectron2's settings for Mask R-CNN R50-FPN say: 256 anchors per image, at most half of them on
objects (intersection over union of 0.7, or the best that an object has; below 0.3 is background),
and 512 regions per image, at most a quarter of them on objects (0.5), the objects' own boxes among
them. The random numbers are torch's global ones, drawn in Detectron2's order: the same seed
chooses the same anchors and, where the proposals are the same, the same regions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

from benchmark.analysis.targets import Objects

ANCHORS = 256
"""Anchors per image."""

_OBJECT_ANCHORS = 0.5
_OBJECT_ANCHOR_IOU, _BACKGROUND_ANCHOR_IOU = 0.7, 0.3
_REGIONS = 512
_OBJECT_REGIONS = 0.25
_REGION_IOU = 0.5


@dataclass(frozen=True)
class AnchorSample:
    """The chosen anchors of an image, those on objects first.

    Attributes:
        indices: int64, M: their places among all anchors.
        boxes: P x 4: the objects' boxes that the first P of them lie on.
    """

    indices: Tensor
    boxes: Tensor


@dataclass(frozen=True)
class RegionSample:
    """The chosen regions of an image, those on objects first.

    Attributes:
        boxes: M x 4: x0, y0, x1, y1 in pixels.
        classes: int64, M, from 0; the background is the last.
        objects: int64, P: the number of the object that each of the first P regions lies on.
    """

    boxes: Tensor
    classes: Tensor
    objects: Tensor


def sample_anchors(anchors: Tensor, boxes: Tensor) -> AnchorSample:
    """Choose anchors.

    Args:
        anchors: A x 4, all those of an image.
        boxes: N x 4, those of its objects.
    """
    overlap, matched = _best_overlap(boxes, anchors)
    on_object = overlap >= _OBJECT_ANCHOR_IOU
    background = overlap < _BACKGROUND_ANCHOR_IOU
    if len(boxes):
        every = box_iou(boxes, anchors)
        # an object's best anchors count however small the overlap, for the object that they
        # overlap most with
        on_object |= (every == every.amax(dim=1, keepdim=True)).any(dim=0)
    positive, negative = _chosen(
        on_object.nonzero()[:, 0],
        (background & ~on_object).nonzero()[:, 0],
        ANCHORS,
        _OBJECT_ANCHORS,
    )
    return AnchorSample(torch.cat([positive, negative]), boxes[matched[positive]])


def sample_regions(proposals: Tensor, objects: Objects, classes: int) -> RegionSample:
    """Choose regions.

    Args:
        proposals: N x 4 boxes in an image.
        objects: the image's.
        classes: number of classes without the background.
    """
    boxes = torch.cat([proposals, objects.boxes])
    overlap, matched = _best_overlap(objects.boxes, boxes)
    on_object = overlap >= _REGION_IOU
    positive, negative = _chosen(
        on_object.nonzero()[:, 0], (~on_object).nonzero()[:, 0], _REGIONS, _OBJECT_REGIONS
    )
    numbers = matched[positive]
    background = torch.full_like(negative, classes)
    return RegionSample(
        boxes[torch.cat([positive, negative])],
        torch.cat([objects.labels[numbers] - 1, background]),
        numbers,
    )


def _best_overlap(boxes: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Each candidate's largest intersection over union with a box, and the number of the box."""
    if not len(boxes):
        nothing = candidates.new_zeros(len(candidates))
        return nothing, nothing.long()
    best = box_iou(boxes, candidates).max(dim=0)
    return best.values, best.indices


def _chosen(positive: Tensor, negative: Tensor, most: int, share: float) -> tuple[Tensor, Tensor]:
    """Draw up to `share` of `most` from the positive ones, and fill up with negative ones."""
    positives = min(len(positive), int(most * share))
    negatives = min(len(negative), most - positives)
    return _drawn(positive, positives), _drawn(negative, negatives)


def _drawn(candidates: Tensor, number: int) -> Tensor:
    return candidates[torch.randperm(len(candidates), device=candidates.device)[:number]]
