"""Classes, boxes and masks of proposals as Detectron2 computes them.

Its order and its formulas are kept, because a last digit can decide which box stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import batched_nms, roi_align

from benchmark.analysis.detectron2.boxes import clipped, moved, precise
from benchmark.analysis.detectron2.proposals import CHANNELS, convolution
from benchmark.analysis.mask_rcnn.heads import Found

SCORE_THRESHOLD = 0.05
NMS_THRESHOLD = 0.5
DETECTIONS = 100
"""The most objects that are found in an image."""

BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""What deltas are multiplied with, for shifts and growth along both axes."""

_HIDDEN = 1024
_STRIDES = (4, 8, 16, 32)
_FINEST, _COARSEST = 2, 5
_SIDE_ON_LEVEL_4 = 224
_BOX_CELLS = 7
_MASK_CELLS = 14


class Heads(nn.Module):
    """Classes, boxes and masks of the proposals."""

    def __init__(
        self,
        classes: int,
        score_threshold: float = SCORE_THRESHOLD,
        detections: int = DETECTIONS,
    ) -> None:
        """Untrained.

        Args:
            classes: their number, without the background.
            score_threshold: that scores of detections lie above.
            detections: the most objects that are found in an image.
        """
        super().__init__()
        self.classes = classes
        self.score_threshold = score_threshold
        self.detections = detections
        self.box_head = _BoxHead()
        self.box_predictor = _BoxPredictor(classes)
        self.mask_head = _MaskHead(classes)

    def forward(self, levels: Sequence[Tensor], proposals: Tensor, size: tuple[int, int]) -> Found:
        """The objects in an image.

        Args:
            levels: features 1 x 256 x H/s x W/s of the strides s = 4, 8, 16, 32.
            proposals: N x 4: x0, y0, x1, y1 in pixels.
            size: height and width of the image without its padding.
        """
        logits, deltas = self.classify(levels, [proposals])
        boxes = moved(proposals, deltas, BOX_WEIGHTS)
        boxes, scores, classes = _best_detections(
            boxes, logits.softmax(dim=1), size, self.score_threshold, self.detections
        )
        masks = self.mask_logits(levels, [boxes], classes).sigmoid()
        return Found(boxes, scores, classes + 1, masks)

    def classify(self, levels: Sequence[Tensor], boxes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits and deltas of boxes in N images.

        Args:
            levels: features N x 256 x H/s x W/s of the strides s = 4, 8, 16, 32.
            boxes: of each image, x0, y0, x1, y1 in pixels; R in all.

        Returns:
            R x (classes + 1), the background last, and R x (4 classes).
        """
        logits, deltas = self.box_predictor(self.box_head(_pooled(levels, boxes, _BOX_CELLS)))
        return precise(logits), precise(deltas)

    def mask_logits(
        self, levels: Sequence[Tensor], boxes: Sequence[Tensor], classes: Tensor
    ) -> Tensor:
        """Return R x 28 x 28: the logit of the object in each cell of its box.

        Args:
            levels: as for `classify`.
            boxes: as for `classify`.
            classes: R, from 0.
        """
        logits = precise(self.mask_head(_pooled(levels, boxes, _MASK_CELLS)))
        return logits[torch.arange(len(classes), device=classes.device), classes]


class _BoxHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(CHANNELS * _BOX_CELLS**2, _HIDDEN)
        self.fc2 = nn.Linear(_HIDDEN, _HIDDEN)

    def forward(self, pooled: Tensor) -> Tensor:
        return functional.relu_(self.fc2(functional.relu_(self.fc1(pooled.flatten(1)))))


class _BoxPredictor(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(_HIDDEN, classes + 1)
        self.bbox_pred = nn.Linear(_HIDDEN, 4 * classes)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, N x (classes + 1), the background last, and N x (4 classes) deltas."""
        return self.cls_score(hidden), self.bbox_pred(hidden)


def _best_detections(
    boxes: Tensor,
    scores: Tensor,
    size: tuple[int, int],
    score_threshold: float = SCORE_THRESHOLD,
    detections: int = DETECTIONS,
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (N x 4), scores and classes (from 0) of the detections, by falling score.

    Args:
        boxes: proposals x classes x 4.
        scores: proposals x (classes + 1), the background last.
        size: height and width of the image.
        score_threshold: that the scores lie above.
        detections: the most of them.
    """
    finite = boxes.isfinite().all(dim=2).all(dim=1) & scores.isfinite().all(dim=1)
    boxes, scores = clipped(boxes[finite], size), scores[finite, :-1]
    likely = scores > score_threshold
    boxes, scores, classes = boxes[likely], scores[likely], likely.nonzero()[:, 1]
    kept = batched_nms(boxes, scores, classes, NMS_THRESHOLD)[:detections]
    return boxes[kept], scores[kept], classes[kept]


class _MaskHead(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.mask_fcn1 = convolution()
        self.mask_fcn2 = convolution()
        self.mask_fcn3 = convolution()
        self.mask_fcn4 = convolution()
        self.deconv = nn.ConvTranspose2d(CHANNELS, CHANNELS, 2, stride=2)
        self.predictor = nn.Conv2d(CHANNELS, classes, 1)

    def forward(self, pooled: Tensor) -> Tensor:
        """N x classes x 28 x 28: the logit of an object in each cell of its box."""
        hidden = pooled
        for layer in (self.mask_fcn1, self.mask_fcn2, self.mask_fcn3, self.mask_fcn4):
            hidden = functional.relu_(layer(hidden))
        hidden = functional.relu_(self.deconv(hidden))
        logits: Tensor = self.predictor(hidden)
        return logits


def _pooled(levels: Sequence[Tensor], boxes: Sequence[Tensor], cells: int) -> Tensor:
    """R x 256 x cells x cells: each box's features, from the level that suits its size.

    Args:
        levels: features N x 256 x H/s x W/s of the strides s = 4, 8, 16, 32.
        boxes: of each of the N images; R in all.
        cells: along each side.
    """
    together = torch.cat(list(boxes))
    counts = torch.tensor([len(its) for its in boxes])
    images = torch.arange(len(boxes)).repeat_interleave(counts).to(together)
    levels = [precise(level) for level in levels]
    regions = torch.cat([images[:, None], together], dim=1).to(levels[0].dtype)
    sides = together[:, 2:] - together[:, :2]
    relative = sides.prod(dim=1).sqrt() / _SIDE_ON_LEVEL_4
    suits = (4 + torch.log2(relative + 1e-8)).floor().clamp(_FINEST, _COARSEST).long() - _FINEST
    pooled = levels[0].new_zeros(len(together), CHANNELS, cells, cells)
    for number, level in enumerate(levels):
        here = (suits == number).nonzero()[:, 0]
        scale = 1 / _STRIDES[number]
        pooled[here] = roi_align(level, regions[here], cells, scale, 0, aligned=True)
    return pooled
