"""Proposals as Detectron2 computes them.

Its order and its formulas are kept, because a last digit can decide which box stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import batched_nms

from benchmark.analysis.detectron2.boxes import clipped, moved, not_empty, precise

CHANNELS = 256
"""Those of every level of the features."""

PROPOSAL_WEIGHTS = (1.0, 1.0, 1.0, 1.0)
"""What deltas are multiplied with, for shifts and growth along both axes."""

_STRIDES = (4, 8, 16, 32, 64)
_ANCHOR_SIDES = (32, 64, 128, 256, 512)
_ANCHOR_RATIOS = (0.5, 1.0, 2.0)  # height by width
_PROPOSALS = 1000
_CANDIDATES_IN_TRAINING = 2000
_PROPOSAL_NMS_THRESHOLD = 0.7


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
        return moved(anchors, level.deltas[image][best], PROPOSAL_WEIGHTS)[:, 0], logits


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
