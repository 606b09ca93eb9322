"""Trains the analysis network on a data set, from nothing, on a CPU or a GPU."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmark.analysis.analysis_network import AnalysisNetwork
from benchmark.analysis.mask_rcnn.adapter import MaskRcnnAnalysis
from benchmark.analysis.mask_rcnn.network import WIDTH, MaskRcnn
from benchmark.analysis.mask_rcnn.targets import Objects
from benchmark.analysis.mask_rcnn.training_batches import Augmentation, Batches
from benchmark.analysis.mask_rcnn.weights_file import Description, save_weights
from benchmark.datasets.dataset import Category, Dataset
from benchmark.errors import UsageError
from benchmark.training.loop import (
    CHECKPOINT,
    LOG,
    WEIGHTS,
    Log,
    follow,
    interruptions,
    learning_rate,
    load_checkpoint,
    save_checkpoint,
)

_LARGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class Recipe:
    """All that decides the trained weights, beside the data set.

    Attributes:
        iterations: number of steps; the learning rate falls to zero over them (half a cosine).
        batch: images a step.
        width: that of `MaskRcnn`.
        learning_rate: AdamW's, at its highest.
        weight_decay: AdamW's, on kernels and matrices only.
        warm_up: steps over which the learning rate rises.
        averaging: decay of the moving average of the weights; the average is what is kept.
        bfloat16: whether layers compute in bfloat16 (weights stay float32).
        seed: of the first weights, the order, the augmentation and the sampling.
    """

    iterations: int
    batch: int = 4
    width: int = WIDTH
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: int = 200
    averaging: float = 0.998
    bfloat16: bool = True
    seed: int = 0


def train_analysis(
    dataset: Dataset,
    out: Path,
    recipe: Recipe,
    *,
    evaluate: Callable[[AnalysisNetwork], float] | None = None,
    evaluate_every: int = 0,
    checkpoint_minutes: float = 5.0,
    device: str = "cpu",
) -> Path:
    """Trains a `MaskRcnn` and writes its weights; goes on where an earlier call was stopped.

    ``out`` then holds `WEIGHTS`, `CHECKPOINT` (replaced every few minutes and when the training
    is interrupted) and `LOG`, a line of JSON every 20 steps and at every validation. The step's
    number decides all randomness, so an interrupted training ends with the same weights.

    Args:
        dataset: the training images; they are kept in memory (`Batches`).
        out: a folder, made if missing.
        recipe: how to train.
        evaluate: gives the quality (wAP in percent) of a network on validation images.
        evaluate_every: steps from one validation to the next; 0: at the end only.
        checkpoint_minutes: from one checkpoint to the next.
        device: ``cpu``, ``cuda``. On the CPU torch's number of threads is the caller's choice.

    Returns:
        The path of the weights.

    Raises:
        UsageError: if ``out`` holds a training with another recipe, or there are no images.
        KeyboardInterrupt: after SIGINT or SIGTERM, the checkpoint being written.
    """
    if not dataset.pictures:
        raise UsageError(f"{dataset.name} has no images to train on")
    out.mkdir(parents=True, exist_ok=True)
    state = _State(recipe, tuple(dataset.categories), device)
    state.resume(out / CHECKPOINT)
    log = Log(out / LOG, state.iteration)
    batches = Batches(dataset, recipe.batch, recipe.seed, Augmentation(brightness=True))
    saved = time.monotonic()
    with (
        interruptions() as interrupted,
        tqdm(total=recipe.iterations, initial=state.iteration, unit="step") as progress,
    ):
        while state.iteration < recipe.iterations:
            losses = state.step(*batches[state.iteration])
            progress.update()
            log.add(
                state.iteration,
                state.seconds,
                {"loss": sum(losses.values()), "learning_rate": state.learning_rate, **losses},
            )
            if evaluate and evaluate_every and state.iteration % evaluate_every == 0:
                state.quality = evaluate(state.analysis())
                log.write({"iteration": state.iteration, "wap": state.quality})
                progress.set_postfix(wap=f"{state.quality:.1f}")
            late = time.monotonic() - saved > 60 * checkpoint_minutes
            if late or interrupted.is_set() or state.iteration == recipe.iterations:
                state.save(out / CHECKPOINT)
                saved = time.monotonic()
            if interrupted.is_set():
                raise KeyboardInterrupt
    if evaluate and (not evaluate_every or recipe.iterations % evaluate_every):
        state.quality = evaluate(state.analysis())
        log.write({"iteration": state.iteration, "wap": state.quality})
    save_weights(out / WEIGHTS, state.average, state.description(dataset))
    return out / WEIGHTS


class _State:
    """Network, average and optimiser after some steps."""

    def __init__(self, recipe: Recipe, categories: Sequence[Category], device: str) -> None:
        self.recipe = recipe
        self.categories = tuple(categories)
        self.device = torch.device(device)
        self.iteration = 0
        self.seconds = 0.0
        self.quality: float | None = None
        torch.manual_seed(recipe.seed)
        network = MaskRcnn(len(self.categories), recipe.width).to(self.device)
        self.network = network.to(memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(_groups(self.network, recipe.weight_decay))

    def step(self, images: Tensor, targets: Sequence[Objects]) -> dict[str, float]:
        """One step on N x 3 x H x W images; the losses before it."""
        started = time.monotonic()
        recipe = self.recipe
        torch.manual_seed(recipe.seed * 1_000_003 + self.iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(
                recipe.learning_rate, self.iteration, recipe.iterations, recipe.warm_up
            )
        moved = [target.to(self.device) for target in targets]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            losses = self.network.losses(self.network.features(images.to(self.device)), moved)
        self.optimizer.zero_grad()
        torch.stack([loss.float() for loss in losses.values()]).sum().backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.optimizer.step()
        follow(self.average, self.network, self.iteration, recipe.averaging)
        self.iteration += 1
        self.seconds += time.monotonic() - started
        return {name: float(loss.detach()) for name, loss in losses.items()}

    @property
    def learning_rate(self) -> float:
        """That of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def analysis(self) -> MaskRcnnAnalysis:
        """The average as a network that detects."""
        return MaskRcnnAnalysis(
            self.average,
            self.categories,
            name="in training",
            weights_hash=f"step {self.iteration}",
            device=self.device,
        )

    def description(self, dataset: Dataset) -> Description:
        """What the weights file says of itself."""
        training = {
            "dataset": dataset.name,
            "images": len(dataset.pictures),
            "recipe": asdict(self.recipe),
            "minutes": round(self.seconds / 60, 1),
            "device": self.device.type,
            "threads": torch.get_num_threads(),
            "wap": self.quality,
        }
        return Description(self.recipe.width, self.categories, training)

    def save(self, path: Path) -> None:
        """Writes all that `resume` needs, complete or not at all."""
        save_checkpoint(
            path,
            {
                **self._belongs_to(),
                "iteration": self.iteration,
                "seconds": self.seconds,
                "quality": self.quality,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
        )

    def resume(self, path: Path) -> None:
        """Takes over a checkpoint, if there is one.

        Raises:
            UsageError: if it is of a training with another recipe or other classes.
        """
        stored = load_checkpoint(path, self.device, self._belongs_to())
        if stored is None:
            return
        self.network.load_state_dict(stored["network"])
        self.average.load_state_dict(stored["average"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.iteration = stored["iteration"]
        self.seconds = stored["seconds"]
        self.quality = stored["quality"]

    def _belongs_to(self) -> dict[str, Any]:
        categories = [asdict(category) for category in self.categories]
        return {"recipe": asdict(self.recipe), "categories": categories}


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
