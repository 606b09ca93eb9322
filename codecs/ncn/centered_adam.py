"""Adam for layers whose inputs are all positive: the updates of their kernels sum to zero."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class CenteredAdam(torch.optim.Adam):
    """Adam that moves some kernels only where their sum over what an output sees stays.

    Behind a ReLU all inputs of a kernel are positive. An update whose elements have one sign in
    common then moves an output far more than all that it could learn from the inputs' details,
    and Adam, which makes all elements move alike, brings many of these. The bias is there for
    this direction. The principle is that of Yong et al., "Gradient centralization" (ECCV 2020).
    Here both the gradient and the update lose their mean: Adam's division brings it back, and to
    take it from the update alone would leave a step that may go uphill.
    """

    def __init__(
        self, parameters: Iterable[Tensor], centered: Sequence[nn.Conv2d | nn.ConvTranspose2d]
    ) -> None:
        """As `torch.optim.Adam`.

        Args:
            parameters: all that are trained, kernels too.
            centered: convolutions, transposed ones of stride 2 and others, whose kernels'
                updates have no mean.
        """
        super().__init__(parameters)
        self._centered = [layer for layer in centered if layer.weight.requires_grad]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take a step; the kernels' moves sum to zero over all that one output sees."""
        for layer in self._centered:
            if layer.weight.grad is not None:
                _center(layer, layer.weight.grad)
        before = [layer.weight.clone() for layer in self._centered]
        result = super().step(closure)
        for layer, kernel in zip(self._centered, before, strict=True):
            update = layer.weight - kernel
            _center(layer, update)
            layer.weight.copy_(kernel + update)
        return result


def _center(layer: nn.Conv2d | nn.ConvTranspose2d, values: Tensor) -> None:
    """Take from values of a kernel's shape their mean over what one output sees, in place."""
    if isinstance(layer, nn.ConvTranspose2d):  # an output sees every other row and column
        for row in range(2):
            for column in range(2):
                part = values[:, :, row::2, column::2]
                part -= part.mean((0, 2, 3), keepdim=True)
    else:
        values -= values.mean((1, 2, 3), keepdim=True)
