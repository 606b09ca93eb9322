"""Muon: steps along the orthogonalized momentum of each convolution's kernel.

The method is that of Jordan et al., "Muon: an optimizer for hidden layers in neural networks"
(2024). It differs from ``torch.optim.Muon`` in two points:

1. Kernels of convolutions are taken, as matrices of outputs by everything else; torch's takes
   matrices only. For transposed convolutions the outputs are the second dimension.
2. A step moves a kernel by ``lr`` times its own norm. The layers of a codec differ in scale by
   orders of magnitude (y has a standard deviation of 4, the image one of 0.2), so that a step of
   equal size for all would be too small for some and too large for others.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration; five of them bring singular values into 0.7 to 1.2."""


class Muon(torch.optim.Optimizer):
    """Orthogonalizes momentum; for kernels of convolutions, Adam is for all else."""

    def __init__(self, layers: Iterable[nn.Module], lr: float, momentum: float = 0.9) -> None:
        """Take the kernels of layers.

        Args:
            layers: ``nn.Conv2d`` and ``nn.ConvTranspose2d``.
            lr: how far a step moves a kernel, in parts of its norm.
            momentum: decay of the running sum of gradients (Nesterov's form).
        """
        plain: list[Tensor] = []
        transposed: list[Tensor] = []
        for layer in layers:
            kernels = transposed if isinstance(layer, nn.ConvTranspose2d) else plain
            assert isinstance(layer.weight, Tensor)
            kernels.append(layer.weight)
        groups = [
            {"params": plain, "transposed": False},
            {"params": transposed, "transposed": True},
        ]
        super().__init__([g for g in groups if g["params"]], {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is None:
                    continue
                sum_ = self.state[kernel].setdefault("momentum", torch.zeros_like(kernel))
                sum_.mul_(group["momentum"]).add_(kernel.grad)
                update = kernel.grad.add(sum_, alpha=group["momentum"])
                if group["transposed"]:
                    update = update.transpose(0, 1)
                matrix = orthogonalized(update.reshape(len(update), -1))
                update = matrix.reshape(update.shape)
                if group["transposed"]:
                    update = update.transpose(0, 1)
                kernel.add_(update, alpha=-group["lr"] * float(kernel.norm() / update.norm()))


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return about the nearest semi-orthogonal matrix, by five Newton-Schulz iterations."""
    a, b, c = _NEWTON_SCHULZ
    result = matrix / (matrix.norm() + 1e-7)
    wide = len(matrix) <= matrix.shape[1]
    if not wide:
        result = result.T
    for _ in range(5):
        gram = result @ result.T
        result = a * result + (b * gram + c * gram @ gram) @ result
    return result if wide else result.T
