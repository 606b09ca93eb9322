"""What training counts as distortion: for people, for features, for the task."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.analysis.mask_rcnn.network import MaskRcnn
from benchmark.analysis.mask_rcnn.targets import Objects

Distortion = Callable[[Tensor, Tensor, Sequence[Objects]], Tensor]
"""Of decoded images and originals (N x 3 x H x W, RGB in [0, 1]) and the objects in them."""


def distortion(loss: str, analysis: MaskRcnn) -> Distortion:
    """One of the three.

    - ``hvs``: the mean squared error of samples from 0 to 255.
    - ``feature``, L_F: the summed absolute differences of the analysis network's finest features
      (of the pyramid, stride 4), over the number of samples of the image.
    - ``task``, L_TASK: the sum of the analysis network's five training losses of the decoded
      image.

    Args:
        loss: ``hvs``, ``feature`` or ``task``.
        analysis: the analysis network, its weights fixed.
    """

    def hvs(decoded: Tensor, images: Tensor, objects: Sequence[Objects]) -> Tensor:
        return 255**2 * functional.mse_loss(decoded, images)

    def feature(decoded: Tensor, images: Tensor, objects: Sequence[Objects]) -> Tensor:
        with torch.no_grad():
            wanted = analysis.finest_features(images)
        found = analysis.finest_features(decoded)
        return (found.float() - wanted.float()).abs().sum() / images.numel()

    def task(decoded: Tensor, images: Tensor, objects: Sequence[Objects]) -> Tensor:
        losses = analysis.task_loss(decoded, objects)
        return torch.stack([loss.float() for loss in losses.values()]).sum()

    return {"hvs": hvs, "feature": feature, "task": task}[loss]
