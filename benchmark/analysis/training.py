"""Trains the analysis network on a data set, from nothing, on a CPU or a GPU."""

from __future__ import annotations

import copy
import io
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from benchmark.analysis.judge import MaskRcnnAnalysis
from benchmark.analysis.mask_rcnn import WIDTH, MaskRcnn
from benchmark.analysis.network import AnalysisNetwork
from benchmark.analysis.objects import Objects, box_of
from benchmark.analysis.weights_file import Description, save_weights
from benchmark.codec import Image
from benchmark.datasets.dataset import Category, Dataset, read_image
from benchmark.errors import UsageError
from benchmark.files import write_whole

WEIGHTS = "weights.safetensors"
CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"

_LOG_EVERY = 20
_MOST_MEMORY = 8e9
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
        dataset: the training images; they are kept in memory, 3 bytes a pixel, up to 8 GB.
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
    log = _Log(out / LOG, state.iteration)
    batches = _Batches(dataset, recipe)
    saved = time.monotonic()
    with (
        _interruptions() as interrupted,
        tqdm(total=recipe.iterations, initial=state.iteration, unit="step") as progress,
    ):
        while state.iteration < recipe.iterations:
            losses = state.step(*batches[state.iteration])
            progress.update()
            log.add(state, losses)
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
            group["lr"] = learning_rate(recipe, self.iteration)
        moved = [target.to(self.device) for target in targets]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            losses = self.network.task_loss(images.to(self.device), moved)
        self.optimizer.zero_grad()
        torch.stack([loss.float() for loss in losses.values()]).sum().backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.optimizer.step()
        self._follow()
        self.iteration += 1
        self.seconds += time.monotonic() - started
        return {name: float(loss.detach()) for name, loss in losses.items()}

    @torch.no_grad()
    def _follow(self) -> None:
        """Moves the average towards the network, quickly at first."""
        decay = min(self.recipe.averaging, (1 + self.iteration) / (10 + self.iteration))
        current = self.network.state_dict()
        for name, average in self.average.state_dict().items():
            if average.is_floating_point():
                average.lerp_(current[name], 1 - decay)
            else:
                average.copy_(current[name])

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
        content = io.BytesIO()
        torch.save(
            {
                "recipe": asdict(self.recipe),
                "categories": [asdict(category) for category in self.categories],
                "iteration": self.iteration,
                "seconds": self.seconds,
                "quality": self.quality,
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
            content,
        )
        write_whole(path, content.getvalue())

    def resume(self, path: Path) -> None:
        """Takes over a checkpoint, if there is one.

        Raises:
            UsageError: if it is of a training with another recipe or other classes.
        """
        if not path.exists():
            return
        try:
            stored: dict[str, Any] = torch.load(path, self.device, weights_only=True)
            known = stored["recipe"], stored["categories"]
        except Exception as error:  # torch raises many kinds for a file that is none of its own
            raise UsageError(f"{path} is not a readable checkpoint: {error}") from error
        wanted = asdict(self.recipe), [asdict(category) for category in self.categories]
        if known != wanted:
            raise UsageError(
                f"{path} belongs to a training with another recipe ({known[0]}) or other "
                f"classes: delete it, or train into another folder"
            )
        self.network.load_state_dict(stored["network"])
        self.average.load_state_dict(stored["average"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.iteration = stored["iteration"]
        self.seconds = stored["seconds"]
        self.quality = stored["quality"]


def learning_rate(recipe: Recipe, iteration: int) -> float:
    """The learning rate of a step: a linear rise, then half a cosine down to zero."""
    rise = min(1.0, (iteration + 1) / recipe.warm_up)
    return recipe.learning_rate * rise * (1 + math.cos(math.pi * iteration / recipe.iterations)) / 2


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


@dataclass(frozen=True)
class _Example:
    """An image and its objects, small enough to keep: each mask is cut to its box."""

    image: Image
    boxes: NDArray[np.int64]
    labels: NDArray[np.int64]
    crops: list[NDArray[np.bool_]]
    ignored: NDArray[np.bool_]


class _Batches:
    """The images and objects of each step, augmented, from its number alone."""

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        self._dataset = dataset
        self._recipe = recipe
        self._labels = {category.id: n for n, category in enumerate(dataset.categories, 1)}
        self._kept: dict[int, _Example] = {}
        self._memory = 0

    def __getitem__(self, iteration: int) -> tuple[Tensor, list[Objects]]:
        """Images, N x 3 x H x W in about [0, 1], and the objects of each."""
        first = iteration * self._recipe.batch
        examples = [self._example(self._at(first + n)) for n in range(self._recipe.batch)]
        height = max(example.image.shape[0] for example in examples)
        width = max(example.image.shape[1] for example in examples)
        rng = np.random.default_rng([self._recipe.seed, iteration])
        pairs = [_augmented(example, (height, width), rng) for example in examples]
        return torch.cat([image for image, _ in pairs]), [objects for _, objects in pairs]

    def _at(self, position: int) -> int:
        """Index of the picture at a position of the endless, shuffled sequence."""
        epoch, place = divmod(position, len(self._dataset.pictures))
        rng = np.random.default_rng([self._recipe.seed, 1, epoch])
        return int(rng.permutation(len(self._dataset.pictures))[place])

    def _example(self, index: int) -> _Example:
        if index in self._kept:
            return self._kept[index]
        example = self._read(index)
        if self._memory < _MOST_MEMORY:
            self._kept[index] = example
            self._memory += example.image.nbytes + sum(crop.nbytes for crop in example.crops)
        return example

    def _read(self, index: int) -> _Example:
        picture = self._dataset.pictures[index]
        image = read_image(picture.path).copy()  # torch takes no read-only arrays
        height, width = image.shape[:2]
        boxes, labels, crops = [], [], []
        ignored = np.zeros((height, width), bool)
        for instance in self._dataset.instances(picture):
            # the image may be without an odd last row or column
            mask = instance.mask[:height, :width]
            if not mask.any():
                continue
            if instance.ignored:
                ignored |= mask
                continue
            x0, y0, x1, y1 = box = box_of(mask)
            boxes.append(box)
            labels.append(self._labels[instance.category_id])
            crops.append(mask[y0:y1, x0:x1].copy())
        return _Example(
            image,
            np.array(boxes, np.int64).reshape(-1, 4),
            np.array(labels, np.int64),
            crops,
            ignored,
        )


def _augmented(
    example: _Example, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Tensor, Objects]:
    """An image (1 x 3 x H x W, padded to the size) and its objects, perhaps mirrored."""
    gain, offset = rng.uniform(0.8, 1.25), rng.uniform(-0.08, 0.08)
    pixels = torch.from_numpy(example.image).permute(2, 0, 1)[None].to(torch.float32)
    image = (pixels * (gain / 255) + offset).clamp_(0, 1)
    masks = torch.zeros(len(example.boxes), *size, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1), crop in zip(masks, example.boxes, example.crops, strict=True):
        mask[y0:y1, x0:x1] = torch.from_numpy(crop)
    height, width = example.image.shape[:2]
    image = functional.pad(image, (0, size[1] - width, 0, size[0] - height))
    objects = Objects(
        torch.from_numpy(example.boxes).to(torch.float32),
        torch.from_numpy(example.labels),
        masks,
        functional.pad(
            torch.from_numpy(example.ignored), (0, size[1] - width, 0, size[0] - height)
        ),
    )
    return _mirrored(image, objects) if rng.random() < 0.5 else (image, objects)


def _mirrored(image: Tensor, objects: Objects) -> tuple[Tensor, Objects]:
    width = image.shape[-1]

    def mirror(boxes: Tensor) -> Tensor:
        x0, y0, x1, y1 = boxes.unbind(1)
        return torch.stack([width - x1, y0, width - x0, y1], dim=1)

    return image.flip(-1), Objects(
        mirror(objects.boxes), objects.labels, objects.masks.flip(-1), objects.ignored.flip(-1)
    )


class _Log:
    """The training's progress as data: one JSON object a line."""

    def __init__(self, path: Path, iteration: int) -> None:
        """Goes on with a log; lines after the step from which the training goes on are dropped."""
        self._path = path
        self._sums: dict[str, list[float]] = {}
        kept = [line for line in _lines(path) if line["iteration"] <= iteration]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def add(self, state: _State, losses: dict[str, float]) -> None:
        """Notes the losses of a step; every 20 steps their means are written."""
        for name, value in losses.items():
            self._sums.setdefault(name, []).append(value)
        if state.iteration % _LOG_EVERY == 0:
            means = {name: round(float(np.mean(all_)), 5) for name, all_ in self._sums.items()}
            self.write(
                {
                    "iteration": state.iteration,
                    "seconds": round(state.seconds, 1),
                    "learning_rate": learning_rate(state.recipe, state.iteration - 1),
                    "loss": round(sum(means.values()), 5),
                    **means,
                }
            )
            self._sums = {}

    def write(self, line: dict[str, Any]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The log's lines up to the first that is not whole."""
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


@contextmanager
def _interruptions() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that a step is finished before the end.

    Signals reach the main thread only; in another, the event is never set.
    """
    event = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
