"""Proposals, classes, boxes and masks as Detectron2 computes them.

Its order and its formulas are kept, because a last digit can decide which box stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import batched_nms, roi_align

from benchmark.analysis.mask_rcnn.heads import Found

CHANNELS = 256
"""Those of every level of the features."""

SCORE_THRESHOLD = 0.05
NMS_THRESHOLD = 0.5
DETECTIONS = 100
"""The most objects that are found in an image."""

PROPOSAL_WEIGHTS = (1.0, 1.0, 1.0, 1.0)
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""What deltas are multiplied with, for shifts and growth along both axes."""

_HIDDEN = 1024
_STRIDES = (4, 8, 16, 32, 64)
_ANCHOR_SIDES = (32, 64, 128, 256, 512)
_ANCHOR_RATIOS = (0.5, 1.0, 2.0)  # height by width
_PROPOSALS = 1000
_CANDIDATES_IN_TRAINING = 2000
_PROPOSAL_NMS_THRESHOLD = 0.7
_MOST_GROWTH = math.log(1000 / 16)
_FINEST, _COARSEST = 2, 5
_SIDE_ON_LEVEL_4 = 224
_BOX_CELLS = 7
_MASK_CELLS = 14


def convolution() -> nn.Conv2d:
    """A 3x3 convolution with `CHANNELS` in and out."""
    return nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)


@dataclass(frozen=True)
class Predicted:
    """What is predicted for the A anchors of one level of N images.

    Attributes:
        logits: N x A, of there being an object, by row, column and ratio.
        deltas: N x A x 4, from the anchors to the objects.
        width: number of columns of the level's features.
    """

    logits: Tensor
    deltas: Tensor
    width: int


class ProposalGenerator(nn.Module):
    """Boxes in which there could be an object."""

    def __init__(self) -> None:
        super().__init__()
        self.rpn_head = _ProposalHead()
        self.anchor_generator = _Anchors()

    def predict(self, levels: Sequence[Tensor]) -> list[Predicted]:
        """Return what is predicted for all anchors.

        Args:
            levels: features N x 256 x H/s x W/s of the strides s = 4, 8, 16, 32, 64.
        """
        return [self.rpn_head(level) for level in levels]

    def forward(self, levels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """The best boxes in an image, at most 1000 x 4: x0, y0, x1, y1 in pixels.

        Args:
            levels: features 1 x 256 x H/s x W/s of the strides s = 4, 8, 16, 32, 64.
            size: height and width of the image without its padding.
        """
        return self._best_boxes(self.predict(levels), 0, size, _PROPOSALS)

    @torch.no_grad()
    def training_proposals(
        self, predicted: Sequence[Predicted], size: tuple[int, int]
    ) -> list[Tensor]:
        """Return the best boxes in each of N images, from more candidates than at test time.

        Args:
            predicted: by level.
            size: height and width of the images without their padding.
        """
        images = len(predicted[0].logits)
        return [
            self._best_boxes(predicted, image, size, _CANDIDATES_IN_TRAINING)
            for image in range(images)
        ]

    def anchors(self, predicted: Sequence[Predicted]) -> Tensor:
        """Return all anchors of an image, A x 4 over the levels, in the order of `Predicted`."""
        return torch.cat(
            [
                self.anchor_generator(
                    number,
                    torch.arange(level.logits.shape[1], device=level.logits.device),
                    level.width,
                )
                for number, level in enumerate(predicted)
            ]
        )

    def _best_boxes(
        self, predicted: Sequence[Predicted], image: int, size: tuple[int, int], candidates: int
    ) -> Tensor:
        best = [
            self._best(number, level, image, candidates) for number, level in enumerate(predicted)
        ]
        boxes = torch.cat([level_boxes for level_boxes, _ in best])
        logits = torch.cat([level_logits for _, level_logits in best])
        counts = torch.tensor([len(level_boxes) for level_boxes, _ in best])
        numbers = torch.arange(len(predicted)).repeat_interleave(counts).to(boxes.device)
        finite = boxes.isfinite().all(dim=1) & logits.isfinite()
        boxes = clipped(boxes, size)
        valid = finite & not_empty(boxes)
        boxes, logits, numbers = boxes[valid], logits[valid], numbers[valid]
        kept = batched_nms(boxes, logits, numbers, _PROPOSAL_NMS_THRESHOLD)
        return boxes[kept[:_PROPOSALS]]

    def _best(self, number: int, level: Predicted, image: int, most: int) -> tuple[Tensor, Tensor]:
        """The boxes (N x 4) of one level that look most like an object, and their logits."""
        logits = level.logits[image]
        logits, best = logits.topk(min(len(logits), most))
        anchors = self.anchor_generator(number, best, level.width)
        return _moved(anchors, level.deltas[image][best], PROPOSAL_WEIGHTS)[:, 0], logits


class _ProposalHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = convolution()
        self.objectness_logits = nn.Conv2d(CHANNELS, len(_ANCHOR_RATIOS), 1)
        self.anchor_deltas = nn.Conv2d(CHANNELS, 4 * len(_ANCHOR_RATIOS), 1)

    def forward(self, level: Tensor) -> Predicted:
        hidden = functional.relu_(self.conv(level))
        logits, deltas = (
            precise(self.objectness_logits(hidden)),
            precise(self.anchor_deltas(hidden)),
        )
        by_anchor = deltas.unflatten(1, (len(_ANCHOR_RATIOS), 4))
        return Predicted(
            logits.permute(0, 2, 3, 1).flatten(1),
            by_anchor.permute(0, 3, 4, 1, 2).flatten(1, 3),
            level.shape[-1],
        )


class _Anchors(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell_anchors = nn.Module()
        for number, side in enumerate(_ANCHOR_SIDES):
            cells = _cell_anchors(side)
            self.cell_anchors.register_buffer(str(number), cells, persistent=False)

    def forward(self, number: int, indices: Tensor, width: int) -> Tensor:
        """Anchors, N x 4, of one level, by their places in the order of `_ProposalHead`.

        Args:
            number: of the level, from 0.
            indices: N places.
            width: of the level's features.
        """
        ratios = len(_ANCHOR_RATIOS)
        x = indices // ratios % width * _STRIDES[number]
        y = indices // (ratios * width) * _STRIDES[number]
        cells = self.cell_anchors.get_buffer(str(number))
        return torch.stack([x, y, x, y], dim=1) + cells[indices % ratios]


def _cell_anchors(side: float) -> Tensor:
    """ratios x 4: the anchors around the corner of the image, all of the area of a square."""
    boxes = []
    for ratio in _ANCHOR_RATIOS:
        width = math.sqrt(side**2 / ratio)
        height = ratio * width
        boxes.append([-width / 2, -height / 2, width / 2, height / 2])
    return torch.tensor(boxes)


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
        boxes = _moved(proposals, deltas, BOX_WEIGHTS)
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


def precise(values: Tensor) -> Tensor:
    """Return values in float32 at least: layers may be computed in bfloat16, boxes may not."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def clipped(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (... x 4) drawn into an image of this height and width."""
    x0, y0, x1, y1 = boxes.unbind(-1)
    height, width = size
    x0, x1 = x0.clamp(0, width), x1.clamp(0, width)
    y0, y1 = y0.clamp(0, height), y1.clamp(0, height)
    return torch.stack([x0, y0, x1, y1], dim=-1)


def not_empty(boxes: Tensor) -> Tensor:
    """Whether each of the boxes (N x 4) has an area."""
    return (boxes[:, 2:] > boxes[:, :2]).all(dim=1)


def _moved(boxes: Tensor, deltas: Tensor, weights: tuple[float, float, float, float]) -> Tensor:
    """Boxes moved and stretched: N x classes x 4, for boxes N x 4 and deltas N x (4 classes)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = (boxes[:, :2] + 0.5 * sides)[:, None]
    sides = sides[:, None]
    relative = deltas.unflatten(1, (-1, 4)) / deltas.new_tensor(weights)
    shift, growth = relative.split(2, dim=2)
    centres = shift * sides + centres
    half = 0.5 * (growth.clamp(max=_MOST_GROWTH).exp() * sides)
    return torch.cat([centres - half, centres + half], dim=2)


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
