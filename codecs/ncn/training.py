"""Train an NCN, an LSMnet on it, or both together, for people or for the analysis network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.analysis.targets import Objects
from benchmark.datasets.dataset import Dataset
from benchmark.training.loop import WEIGHTS, Trained, open_fabric, train
from benchmark.training.plan import TrainingPlan, plan

from .centered_adam import CenteredAdam
from .distortion import Distortion, loss_weights, total
from .initialization import scale_latent
from .starting_point import CodecRecipe, Model, batches, build
from .validation import Validate
from .weights_file import IDENTITY, Description, Weights, save_weights

_LARGEST_GRADIENT = 1.0
_GAIN_FASTER = 100
"""How much higher the learning rate of the logarithms of the latent's gains is than the others'."""


class _Training(nn.Module):
    """A model and what is minimized: distortion + lambda R."""

    def __init__(self, model: Model, distortion: Distortion, recipe: CodecRecipe) -> None:
        super().__init__()
        self.model = model
        self._distortion = distortion
        self._weights = loss_weights(recipe.loss)
        self._rate_weight = recipe.rate_weight

    def forward(self, images: Tensor, objects: Sequence[Objects]) -> dict[str, Tensor]:
        coded = self.model.coded(images)
        terms = self._distortion(coded.images, images, objects)
        rate = coded.bits_per_pixel
        loss = total(terms, self._weights) + self._rate_weight * rate
        return {"loss": loss, **terms, "bpp": rate}


def train_codec(
    dataset: Dataset,
    out: Path,
    recipe: CodecRecipe,
    distortion: Callable[[torch.device], Distortion],
    *,
    start: Path | None = None,
    mask: Path | None = None,
    validate: Validate | None = None,
    validate_every: int = 0,
    device: str = "cpu",
    devices: int = 1,
) -> Path:
    """Train a codec and write its weights; go on where an earlier call was stopped.

    Args:
        dataset: the training images.
        out: a folder, made if missing; see `training.loop.train`.
        recipe: how to train.
        distortion: gives what is weighed against the rate, on a device.
        start: weights file of the NCN to start from; ``ncn`` may start from nothing.
        mask: weights file of the 1x1 convolution to start from; without it, from nothing.
        validate: judges the codec as it is; what it gives is logged.
        validate_every: steps from one validation to the next; 0: at the end only.
        device: ``cpu`` or ``cuda``. On the CPU torch's number of threads is the caller's choice.
        devices: how many of them; each takes a batch of its own.

    Returns:
        The path of the weights.

    Raises:
        UsageError: if recipe, data set, starting weights and what ``out`` holds do not go
            together.
        KeyboardInterrupt: after SIGINT or SIGTERM, the checkpoint being written.
    """
    model = build(dataset, recipe, start, mask)
    fabric = open_fabric(device, devices, recipe.bfloat16)
    origin = {"start": _hash(start), "mask": _hash(mask)}

    def measure(average: nn.Module) -> Mapping[str, float]:
        assert validate and isinstance(average, _Training)
        return validate(average.model.code)

    trained = train(
        fabric,
        _Training(model, distortion(fabric.device), recipe),
        _optimizers(model, recipe),
        batches(dataset, recipe, recipe.batch),
        out,
        recipe,
        largest_gradient=_LARGEST_GRADIENT,
        belongs_to={"recipe": asdict(recipe), "starting weights": origin},
        validate=measure if validate else None,
        validate_every=validate_every,
    )
    if trained.writes:
        save_weights(out / WEIGHTS, _weights(dataset, recipe, origin, trained))
    return out / WEIGHTS


def plan_training(
    dataset: Dataset,
    recipe: CodecRecipe,
    distortion: Callable[[torch.device], Distortion],
    *,
    start: Path | None = None,
    mask: Path | None = None,
    device: str = "cpu",
) -> TrainingPlan:
    """Return what `train_codec` with the same arguments will take, on one device.

    Raises:
        UsageError: if recipe, data set and starting weights do not go together.
    """
    model = build(dataset, recipe, start, mask)
    fabric = open_fabric(device, 1, recipe.bfloat16)
    return plan(
        fabric,
        _Training(model, distortion(fabric.device), recipe),
        _optimizers(model, recipe),
        batches(dataset, recipe, recipe.batch),
        recipe,
        largest_gradient=_LARGEST_GRADIENT,
    )


def _hash(path: Path | None) -> str:
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def _optimizers(model: Model, recipe: CodecRecipe) -> list[tuple[torch.optim.Optimizer, float]]:
    """Adam, perhaps centered for the kernels behind a ReLU, and one for the gains if learned."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    transforms = (model.network.analysis, model.network.synthesis)
    behind_relu = [layer for part in transforms for layer in part[1:] if isinstance(layer, kinds)]
    centered = behind_relu if recipe.optimizer == "centered-adam" else []
    gain = model.log_gain
    trained = [p for p in model.parameters() if p.requires_grad and p is not gain]
    optimizers: list[tuple[torch.optim.Optimizer, float]]
    optimizers = [(CenteredAdam(trained, centered), recipe.learning_rate)]
    if gain.requires_grad:
        optimizers.append((torch.optim.Adam([gain]), _GAIN_FASTER * recipe.learning_rate))
    return optimizers


def _weights(
    dataset: Dataset, recipe: CodecRecipe, origin: Mapping[str, str], trained: Trained
) -> Weights:
    """The average, and what its file says of itself."""
    assert isinstance(trained.average, _Training)
    model = trained.average.model
    backbone = {IDENTITY: model.lsmnet.backbone.identity} if model.lsmnet else {}
    training: dict[str, Any] = {
        **backbone,
        "dataset": dataset.name,
        "images": len(dataset.pictures),
        "recipe": asdict(recipe),
        **origin,
        "minutes": round(trained.seconds / 60, 1),
        "device": trained.device,
        "devices": trained.devices,
        "threads": torch.get_num_threads(),
        "validation": dict(trained.validation),
    }
    network = None if recipe.trained == "ncn-lsm" else model.network
    if network:
        scale_latent(network, model.log_gain)
    to_alpha = model.lsmnet.to_alpha if model.lsmnet else None
    description = Description(
        recipe.channels,
        recipe.rate_weight,
        recipe.backbone,
        training,
        hidden_channels=recipe.hidden_channels,
    )
    return Weights(network, to_alpha, description)
