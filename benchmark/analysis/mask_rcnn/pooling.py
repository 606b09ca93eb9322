"""Features of boxes: ROIAlign that is fast on a CPU, with detail for small objects."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (4, 8, 16, 32)
"""Of the feature pyramid's levels that boxes are pooled from, in pixels."""


class DetailedPool(nn.Module):
    """Features of boxes: the pyramid's, to which the stem's add detail.

    A person of 12 pixels is three features wide at stride 4; its outline is not to be found there.
    The stem's features (stride 2) are at hand, and only what lies in boxes is projected.
    """

    def __init__(self, cells: int, detail_channels: int, channels: int) -> None:
        super().__init__()
        self.pyramid = PyramidPool(cells, STRIDES)
        self.stem = PyramidPool(cells, (2,))
        self.project = nn.Conv2d(detail_channels, channels, 1, bias=False)

    def forward(self, levels: list[Tensor], boxes: list[Tensor]) -> Tensor:
        """N x C x cells x cells for N boxes, from the stem's features and the pyramid's."""
        detail = self.project(self.stem(levels[:1], boxes))
        pooled: Tensor = self.pyramid(levels[1:], boxes) + detail
        return pooled


class PyramidPool(nn.Module):
    """ROIAlign from the pyramid's level that suits each box's size.

    A box of less than 40 pixels (root of its area) is taken from stride 4, of less than 80 from
    stride 8, and so on. So the cells of a 7 x 7 grid are about a feature apart, and one bilinear
    sample in the middle of each suffices. The samples of all levels are one weighted gathering of
    rows, which on a CPU is several times faster than torchvision's ``roi_align``, backwards above
    all.
    """

    _SIZE_OF_STRIDE_8 = 40

    def __init__(self, cells: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.cells = cells
        self.strides = strides

    def forward(self, levels: list[Tensor], boxes: list[Tensor]) -> Tensor:
        """N x C x cells x cells for N boxes in all images, from levels of N x C x H x W."""
        channels = levels[0].shape[1]
        rows = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in levels])
        joined = torch.cat(boxes)
        counts = torch.tensor([len(box) for box in boxes], device=joined.device)
        images = torch.arange(len(boxes), device=joined.device).repeat_interleave(counts)
        indices, weights = self._samples([level.shape for level in levels], joined, images)
        pooled = functional.embedding_bag(
            indices, rows.float(), mode="sum", per_sample_weights=weights
        )
        grid = pooled.reshape(len(joined), self.cells, self.cells, channels)
        return grid.permute(0, 3, 1, 2)

    @torch.no_grad()
    def _samples(
        self, shapes: list[torch.Size], boxes: Tensor, images: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The four rows, and their weights, of each cell: both (N cells cells) x 4."""
        sides = boxes[:, 2:] - boxes[:, :2]
        suits = torch.log2(sides.prod(dim=1).sqrt() / self._SIZE_OF_STRIDE_8 + 1e-8).floor() + 1
        level = suits.clamp(0, len(shapes) - 1).long()
        strides, heights, widths, starts = self._tables(shapes, boxes.device)[:, level]
        middles = (torch.arange(self.cells, device=boxes.device) + 0.5) / self.cells
        x, right = _neighbours(boxes[:, 0], sides[:, 0], middles, strides, widths)
        y, below = _neighbours(boxes[:, 1], sides[:, 1], middles, strides, heights)
        first = (starts + images * heights * widths)[:, None, None, None, None]
        indices = first + y[:, :, None, :, None] * widths[:, None, None, None, None]
        indices = indices + x[:, None, :, None, :]
        weights = below[:, :, None, :, None] * right[:, None, :, None, :]
        return indices.reshape(-1, 4), weights.reshape(-1, 4)

    def _tables(self, shapes: list[torch.Size], device: torch.device) -> Tensor:
        """4 x levels: stride, height, width and first row of each."""
        table, start = [], 0
        for stride, (images, _, height, width) in zip(self.strides, shapes, strict=True):
            table.append((stride, height, width, start))
            start += images * height * width
        return torch.tensor(table, device=device).T


def _neighbours(
    low: Tensor, side: Tensor, middles: Tensor, strides: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """The two features beside each sample along one axis, and their weights: N x cells x 2."""
    # the middle of feature 0 lies half a stride from the edge
    position = (low[:, None] + side[:, None] * middles) / strides[:, None] - 0.5
    last = (lengths - 1)[:, None]
    position = torch.minimum(position.clamp(min=0), last)
    before = torch.minimum(position.floor().long(), (last - 1).clamp(min=0))
    share = position - before
    after = torch.minimum(before + 1, last)
    return torch.stack([before, after], dim=2), torch.stack([1 - share, share], dim=2)
