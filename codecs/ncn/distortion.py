"""What training counts as distortion: for people, for features, for the task, or a sum of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.analysis import TrainingNetwork
from benchmark.analysis.targets import Objects
from benchmark.errors import UsageError

LOSSES = ("hvs", "feature", "task")

Distortion = Callable[[Tensor, Tensor, Sequence[Objects]], dict[str, Tensor]]
"""The unweighted terms of decoded images and originals (N x 3 x H x W, RGB in [0, 1]) and the
objects in them, by the name of the loss."""


def loss_weights(text: str) -> dict[str, float]:
    """Read a sum of losses: ``task``, or ``task:1,feature:1,hvs:0.002``.

    Raises:
        UsageError: if a loss is unknown or named twice, or a weight is no number above 0.
    """
    weights: dict[str, float] = {}
    for term in text.split(","):
        name, colon, weight = term.strip().partition(":")
        try:
            value = float(weight) if colon else 1.0
        except ValueError:
            value = math.nan
        if name not in LOSSES or name in weights or not 0 < value < math.inf:
            raise UsageError(
                f"--loss {text}: {term!r} is not NAME or NAME:WEIGHT, with a weight above 0 and "
                f"each of {', '.join(LOSSES)} at most once"
            )
        weights[name] = value
    return weights


def total(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the weighted sum of a distortion's terms."""
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def distortion(losses: Sequence[str], analysis: TrainingNetwork | None) -> Distortion:
    """Return a function that computes some of the three losses.

    - ``hvs``: the mean squared error of samples from 0 to 255.
    - ``feature``, L_F: the squared differences of the analysis network's features (all levels of
      its pyramid; of this project's own network the stem's too) between decoded image and
      original, each level's over the mean square of the original's, summed over the levels. Needs
      no annotations.
    - ``task``, L_TASK: the sum of the analysis network's five training losses of the decoded
      image.

    The analysis network sees the decoded image as it will be in use, clamped to [0, 1]. The
    gradient ends where a sample was clamped; a small weight of ``hvs``, which is computed before
    the clamp, keeps samples from staying outside.

    Args:
        losses: some of `LOSSES`.
        analysis: the analysis network, its weights fixed; None where `hvs` is the only loss.
    """

    def measure(decoded: Tensor, images: Tensor, objects: Sequence[Objects]) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        if "hvs" in losses:
            terms["hvs"] = 255**2 * functional.mse_loss(decoded.float(), images)
        if "feature" not in losses and "task" not in losses:
            return terms
        assert analysis is not None
        features = analysis.features(decoded.clamp(0, 1))
        if "feature" in losses:
            with torch.no_grad():
                wanted = analysis.features(images).levels
            terms["feature"] = torch.stack(
                [_relative_error(a, b) for a, b in zip(features.levels, wanted, strict=True)]
            ).sum()
        if "task" in losses:
            parts = analysis.losses(features, objects)
            terms["task"] = torch.stack([part.float() for part in parts.values()]).sum()
        return terms

    return measure


def _relative_error(found: Tensor, wanted: Tensor) -> Tensor:
    wanted = wanted.float()
    return functional.mse_loss(found.float(), wanted) / wanted.square().mean()
