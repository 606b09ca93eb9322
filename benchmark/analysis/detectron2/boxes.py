"""Boxes as Detectron2 moves and clips them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_MOST_GROWTH = math.log(1000 / 16)


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


def moved(boxes: Tensor, deltas: Tensor, weights: tuple[float, float, float, float]) -> Tensor:
    """Boxes moved and stretched: N x classes x 4, for boxes N x 4 and deltas N x (4 classes)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = (boxes[:, :2] + 0.5 * sides)[:, None]
    sides = sides[:, None]
    relative = deltas.unflatten(1, (-1, 4)) / deltas.new_tensor(weights)
    shift, growth = relative.split(2, dim=2)
    centres = shift * sides + centres
    half = 0.5 * (growth.clamp(max=_MOST_GROWTH).exp() * sides)
    return torch.cat([centres - half, centres + half], dim=2)
