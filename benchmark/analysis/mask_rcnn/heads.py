"""What of Mask R-CNN follows the features: proposals, boxes, classes and masks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import box_iou, roi_align

from benchmark.analysis.mask_rcnn.pooling import STRIDES, DetailedPool

SCORE_THRESHOLD = 0.05
NMS_THRESHOLD = 0.5
DETECTIONS = 100
"""The most objects that are found in an image."""

_ANCHOR_SIZES = ((10,), (20,), (40,), (80,), (160,))
_RATIOS = (0.6, 1.2, 2.7)  # height by width: cars, things seen from behind, people
_COVERED = 0.5
_OBJECT_IOU = 0.5


@dataclass(frozen=True)
class Found:
    """What the network finds in one image.

    Attributes:
        boxes: N x 4: x0, y0, x1, y1 in pixels.
        scores: N, falling.
        labels: N, from 1.
        masks: N x 28 x 28, the probability of the object in each cell of its box.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Tensor


def proposal_network(channels: int) -> _ProposalNetwork:
    anchors = AnchorGenerator(_ANCHOR_SIZES, (_RATIOS,) * len(_ANCHOR_SIZES))
    return _ProposalNetwork(
        anchors,
        RPNHead(channels, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=128,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 300, "testing": 300},
        post_nms_top_n={"training": 256, "testing": 256},
        nms_thresh=0.7,
    )


def heads(width: int, classes: int) -> _Heads:
    channels, hidden = 2 * width, 8 * width
    return _Heads(
        box_roi_pool=DetailedPool(7, width, channels),
        box_head=TwoMLPHead(channels * 7 * 7, hidden),
        box_predictor=FastRCNNPredictor(hidden, classes + 1),
        fg_iou_thresh=_OBJECT_IOU,
        bg_iou_thresh=_OBJECT_IOU,
        batch_size_per_image=96,
        positive_fraction=0.33,
        bbox_reg_weights=None,
        score_thresh=SCORE_THRESHOLD,
        nms_thresh=NMS_THRESHOLD,
        detections_per_img=DETECTIONS,
        mask_roi_pool=DetailedPool(14, width, channels),
        mask_head=MaskRCNNHeads(channels, (channels,) * 3, 1, norm_layer=nn.BatchNorm2d),
        mask_predictor=MaskRCNNPredictor(channels, channels, classes + 1),
    )


class _ProposalNetwork(RegionProposalNetwork):
    """torchvision's, but nothing is learned from anchors inside ignored regions."""

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        for label, anchor, target in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & _covered(anchor, target["ignored"])] = -1
        return labels, boxes


class _Heads(RoIHeads):
    """torchvision's box and mask heads, sampling at pixel centres and passing ignored regions."""

    def forward(
        self,
        features: list[Tensor],
        proposals: list[Tensor],
        image_sizes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[Found], dict[str, Tensor]]:
        levels = features[: 1 + len(STRIDES)]
        if targets is None:
            return self._found(levels, proposals, image_sizes), {}
        return [], self._losses(levels, proposals, targets)

    def _losses(
        self, levels: list[Tensor], proposals: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        clear = [
            boxes[_is_object(boxes, target["boxes"]) | ~_covered(boxes, target["ignored"])]
            for boxes, target in zip(proposals, targets, strict=True)
        ]
        boxes, matches, labels, deltas = self.select_training_samples(clear, targets)
        pooled = self.box_roi_pool(levels, boxes)
        logits, regression = self.box_predictor(self.box_head(pooled))
        if len(logits):
            class_loss, box_loss = fastrcnn_loss(logits, regression, labels, deltas)
        else:  # all proposals lie in ignored regions: means over nothing would not be numbers
            class_loss, box_loss = logits.sum(), regression.sum()
        chosen = [label > 0 for label in labels]
        mask_loss = self._mask_loss(
            levels,
            [box[keep] for box, keep in zip(boxes, chosen, strict=True)],
            torch.cat([label[keep] for label, keep in zip(labels, chosen, strict=True)]),
            [
                target["masks"][match[keep]]
                for target, match, keep in zip(targets, matches, chosen, strict=True)
            ],
        )
        return {"class": class_loss, "box": box_loss, "mask": mask_loss}

    def _mask_loss(
        self, levels: list[Tensor], boxes: list[Tensor], labels: Tensor, masks: list[Tensor]
    ) -> Tensor:
        logits = self._mask_logits(levels, boxes, labels)
        if not len(labels):
            return logits.sum()
        whole = torch.cat(masks)[:, None].to(torch.float32)
        cells = logits.shape[-1]
        numbered = torch.cat(
            [torch.arange(len(whole), device=whole.device)[:, None], torch.cat(boxes)], dim=1
        )
        wanted = roi_align(whole, numbered, cells, aligned=True)[:, 0]
        return functional.binary_cross_entropy_with_logits(logits.float(), wanted)

    def _mask_logits(self, levels: list[Tensor], boxes: list[Tensor], labels: Tensor) -> Tensor:
        logits = self.mask_predictor(self.mask_head(self.mask_roi_pool(levels, boxes)))
        return logits[torch.arange(len(labels), device=labels.device), labels]

    def _found(
        self, levels: list[Tensor], proposals: list[Tensor], image_sizes: list[tuple[int, int]]
    ) -> list[Found]:
        pooled = self.box_roi_pool(levels, proposals)
        logits, regression = self.box_predictor(self.box_head(pooled))
        boxes, scores, labels = self.postprocess_detections(
            logits, regression, proposals, image_sizes
        )
        masks = self._mask_logits(levels, boxes, torch.cat(labels)).sigmoid()
        counts = [len(label) for label in labels]
        return [
            Found(*parts) for parts in zip(boxes, scores, labels, masks.split(counts), strict=True)
        ]


def _is_object(boxes: Tensor, objects: Tensor) -> Tensor:
    """bool, N: whether a box is taken for one of the annotated objects."""
    return (box_iou(boxes, objects) >= _OBJECT_IOU).any(dim=1)


def _covered(boxes: Tensor, ignored: Tensor) -> Tensor:
    """bool, N: whether ignored pixels (H x W) cover more than half of a box."""
    if not ignored.any():
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    height, width = ignored.shape
    # pixels above and to the left of each corner of the pixel grid
    counts = functional.pad(ignored.int(), (1, 0, 1, 0)).cumsum(0).cumsum(1)
    x0, y0, x1, y1 = boxes.round().long().unbind(1)
    (x0, x1), (y0, y1) = (
        (low.clamp(0, last), high.clamp(0, last))
        for low, high, last in ((x0, x1, width), (y0, y1, height))
    )
    inside = counts[y1, x1] - counts[y0, x1] - counts[y1, x0] + counts[y0, x0]
    return inside > _COVERED * (x1 - x0) * (y1 - y0)
