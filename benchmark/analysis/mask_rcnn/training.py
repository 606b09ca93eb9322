"""Train the analysis network on a data set, on CPUs or GPUs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.analysis.analysis_network import AnalysisNetwork
from benchmark.analysis.mask_rcnn.adapter import MaskRcnnAnalysis
from benchmark.analysis.mask_rcnn.network import WIDTH, MaskRcnn
from benchmark.analysis.mask_rcnn.weights_file import Description, load_weights, save_weights
from benchmark.analysis.targets import Objects
from benchmark.analysis.training_batches import Augmentation, Batches
from benchmark.datasets.dataset import Category, Dataset
from benchmark.errors import UsageError
from benchmark.training.loop import WEIGHTS, Schedule, open_fabric, train

_LARGEST_GRADIENT = 5.0


@dataclass(frozen=True, kw_only=True)
class AnalysisRecipe(Schedule):
    """All that decides the trained weights, beside the data set.

    Attributes:
        width: that of `MaskRcnn`, where it starts from nothing.
        weight_decay: AdamW's, on kernels and matrices only.
    """

    batch: int = 4
    learning_rate: float = 2e-3
    warm_up: int = 200
    width: int = WIDTH
    weight_decay: float = 0.02


class _Training(nn.Module):
    """A network and the sum of its losses."""

    def __init__(self, network: MaskRcnn) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, targets: Sequence[Objects]) -> dict[str, Tensor]:
        losses = self.network.losses(self.network.features(images), targets)
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        return {"loss": total, **losses}


def train_analysis(
    dataset: Dataset,
    out: Path,
    recipe: AnalysisRecipe,
    *,
    start: Path | None = None,
    evaluate: Callable[[AnalysisNetwork], float] | None = None,
    evaluate_every: int = 0,
    device: str = "cpu",
    devices: int = 1,
) -> Path:
    """Train a `MaskRcnn` and write its weights; go on where an earlier call was stopped.

    Args:
        dataset: the training images; they are kept in memory (`Batches`).
        out: a folder, made if missing; see `training.loop.train`.
        recipe: how to train.
        start: weights to start from, of a training on the same categories; None: from nothing.
        evaluate: gives the quality (wAP in percent) of a network on validation images.
        evaluate_every: steps from one validation to the next; 0: at the end only.
        device: ``cpu`` or ``cuda``. On the CPU torch's number of threads is the caller's choice.
        devices: how many of them; each takes a batch of its own.

    Returns:
        The path of the weights.

    Raises:
        UsageError: if ``out`` holds a training with another recipe or start, there are no images,
            or ``start`` is no such network or finds other categories.
        KeyboardInterrupt: after SIGINT or SIGTERM, the checkpoint being written.
    """
    if not dataset.pictures:
        raise UsageError(f"{dataset.name} has no images to train on")
    categories = tuple(dataset.categories)
    torch.manual_seed(recipe.seed)
    network, before = _first_network(categories, recipe, start)
    module = _Training(network)
    fabric = open_fabric(device, devices, recipe.bfloat16)

    def validate(average: nn.Module) -> Mapping[str, float]:
        assert evaluate and isinstance(average, _Training)
        network = MaskRcnnAnalysis(
            average.network,
            categories,
            name="in training",
            weights_hash="not yet known",
            device=fabric.device,
        )
        return {"wap": evaluate(network)}

    trained = train(
        fabric,
        module,
        [(torch.optim.AdamW(_groups(module, recipe.weight_decay)), recipe.learning_rate)],
        Batches(dataset, recipe.batch, recipe.seed, Augmentation(brightness=True)),
        out,
        recipe,
        largest_gradient=_LARGEST_GRADIENT,
        belongs_to={
            "recipe": asdict(recipe),
            "categories": [asdict(category) for category in categories],
            "start": hashlib.sha256(start.read_bytes()).hexdigest() if start else "",
        },
        validate=validate if evaluate else None,
        validate_every=evaluate_every,
    )
    if trained.writes:
        training = {
            "dataset": dataset.name,
            "images": len(dataset.pictures),
            "recipe": asdict(recipe),
            "minutes": round(trained.seconds / 60, 1),
            "device": trained.device,
            "devices": trained.devices,
            "threads": torch.get_num_threads(),
            "wap": trained.validation.get("wap"),
            "start": before,
        }
        assert isinstance(trained.average, _Training)
        description = Description(network.width, categories, training)
        save_weights(out / WEIGHTS, trained.average.network, description)
    return out / WEIGHTS


def _first_network(
    categories: tuple[Category, ...], recipe: AnalysisRecipe, start: Path | None
) -> tuple[MaskRcnn, Mapping[str, Any] | None]:
    """Return the network before the first step, and how it was trained until then."""
    if start is None:
        return MaskRcnn(len(categories), recipe.width), None
    network, description = load_weights(start)
    if description.categories != categories:
        found = ", ".join(category.name for category in description.categories)
        raise UsageError(
            f"{start} finds {found}, but the data set has "
            f"{', '.join(category.name for category in categories)}: choose weights of the same "
            "categories, or train from nothing"
        )
    return network.requires_grad_(True), description.training


def _groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    parameters = list(module.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
