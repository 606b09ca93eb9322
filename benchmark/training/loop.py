"""Train a network: the loop that all trainings of this project go through."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from .ahead import Batches, ahead, readers_for
from .checkpoint import load_checkpoint, save_checkpoint
from .interruption import interruptions
from .log import Log
from .schedule import follow, learning_rate

WEIGHTS = "weights.safetensors"
CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"

_CHECKPOINT_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What every training needs to know, beside what is trained.

    Attributes:
        iterations: number of steps; the learning rates fall to zero over them (half a cosine).
        batch: images per step and device.
        learning_rate: that of the first optimizer, at its highest.
        warm_up: steps over which the learning rates rise.
        averaging: decay of the moving average of the weights; the average is what is kept.
        bfloat16: whether the layers compute in bfloat16 (`computes_in_bfloat16`); weights stay in
            float32.
        seed: of the first weights, the order of images, the augmentation, noise and sampling.
    """

    iterations: int
    batch: int
    learning_rate: float
    warm_up: int = 100
    averaging: float = 0.998
    bfloat16: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """The end of a training.

    Attributes:
        average: the moving average of the trained module, in evaluation mode.
        seconds: spent in steps, by the first process.
        device: where it was trained, ``cpu`` or ``cuda``.
        devices: how many of them.
        validation: what the last validation gave; empty without one.
        writes: whether this process is the one to write files.
    """

    average: nn.Module
    seconds: float
    device: str
    devices: int
    validation: Mapping[str, float]
    writes: bool


Validate = Callable[[nn.Module], Mapping[str, float]]
"""Measures a module in evaluation mode; what it returns is logged."""


def computes_in_bfloat16(device: str) -> bool:
    """Return whether a device, ``cpu`` or ``cuda``, computes in bfloat16 as fast as in float32.

    A processor without AVX-512 does not: a step of an NCN took 16.6 s in bfloat16 and 2.1 s in
    float32 on one core of an AMD EPYC with AVX2.
    """
    if device == "cpu":
        return torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def open_fabric(device: str, devices: int, bfloat16: bool) -> Fabric:
    """Open the devices to train on.

    Args:
        device: ``cpu`` or ``cuda``.
        devices: how many of them; each takes a batch of its own.
        bfloat16: as in `Schedule`.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    precision = "bf16-mixed" if bfloat16 else "32-true"
    fabric = Fabric(accelerator=device, devices=devices, precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def train(
    fabric: Fabric,
    module: nn.Module,
    optimizers: Sequence[tuple[torch.optim.Optimizer, float]],
    batches: Batches,
    out: Path,
    schedule: Schedule,
    *,
    largest_gradient: float,
    belongs_to: Mapping[str, Any],
    validate: Validate | None = None,
    validate_every: int = 0,
) -> Trained:
    """Train a module, or go on where an earlier call was stopped.

    The folder then holds a checkpoint (replaced every 5 minutes and when the training is
    interrupted) and a log: one line of JSON per 20 steps and per validation. The step's number
    decides all randomness, so an interrupted training ends with the same weights.

    Args:
        fabric: the devices.
        module: called with what `batches` gives; returns scalars by name, ``loss`` among them,
            which is minimized.
        optimizers: of the module's parameters, with their highest learning rates.
        batches: what is trained on.
        out: a folder, made if missing.
        schedule: how long and how fast.
        largest_gradient: norm to which the gradients of the first optimizer's parameters are cut.
        belongs_to: what a checkpoint must be of to be gone on with; what JSON can hold.
        validate: measures the average.
        validate_every: steps from one validation to the next; 0: at the end only.

    Raises:
        UsageError: if the folder holds the checkpoint of another training.
        KeyboardInterrupt: after SIGINT or SIGTERM, the checkpoint being written.
    """
    out.mkdir(parents=True, exist_ok=True)
    state = State(fabric, module, optimizers, schedule, largest_gradient, belongs_to)
    state.resume(out / CHECKPOINT)
    log = Log(out / LOG, state.iteration) if fabric.is_global_zero else None
    saved = time.monotonic()

    def measure() -> None:
        if validate and log:
            state.validation = dict(validate(state.average))
            log.write({"iteration": state.iteration, **state.validation})

    with (
        interruptions() as interrupted,
        tqdm(
            total=schedule.iterations,
            initial=state.iteration,
            unit="step",
            disable=not fabric.is_global_zero,
        ) as progress,
    ):
        first = state.iteration * fabric.world_size + fabric.global_rank
        numbers = range(first, schedule.iterations * fabric.world_size, fabric.world_size)
        for batch in ahead(batches, numbers, readers_for(fabric.device.type)):
            losses = state.step(*batch)
            progress.update()
            if log:
                log.add(state.iteration, state.seconds, losses)
            last = state.iteration == schedule.iterations
            if last or (validate_every and state.iteration % validate_every == 0):
                measure()
            late = time.monotonic() - saved > _CHECKPOINT_SECONDS
            if late or last or interrupted.is_set():
                if fabric.is_global_zero:
                    state.save(out / CHECKPOINT)
                saved = time.monotonic()
            if interrupted.is_set():
                raise KeyboardInterrupt
    return Trained(
        state.average,
        state.seconds,
        fabric.device.type,
        fabric.world_size,
        state.validation,
        fabric.is_global_zero,
    )


class _Unrounded:
    """Arguments of a module as they are.

    With layers in bfloat16 Fabric rounds all floating-point tensors that it finds among a module's
    arguments, also in lists and data classes: a box at 1500 pixels would be 4 pixels off.
    """

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments


class _Unpacking(nn.Module):
    """A module that takes its arguments as `_Unrounded`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, given: _Unrounded) -> Any:
        return self.module(*given.arguments)


class State:
    """Module, average and optimizers after some steps."""

    def __init__(
        self,
        fabric: Fabric,
        module: nn.Module,
        optimizers: Sequence[tuple[torch.optim.Optimizer, float]],
        schedule: Schedule,
        largest_gradient: float,
        belongs_to: Mapping[str, Any],
    ) -> None:
        self.fabric = fabric
        self.schedule = schedule
        self.largest_gradient = largest_gradient
        self.belongs_to = belongs_to
        self.iteration = 0
        self.seconds = 0.0
        self.validation: dict[str, float] = {}
        module = module.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(module).to(fabric.device).eval().requires_grad_(False)
        self.trained = module
        optimized = (optimizer for optimizer, _ in optimizers)
        self.module, *wrapped = fabric.setup(_Unpacking(module), *optimized)
        highest = [rate for _, rate in optimizers]
        self.optimizers = list(zip(wrapped, highest, strict=True))

    def step(self, images: Tensor, known: Sequence[Any]) -> Mapping[str, Tensor]:
        """Take one step; return the losses before it."""
        started = time.monotonic()
        schedule, fabric = self.schedule, self.fabric
        torch.manual_seed((schedule.seed * 1_000_003 + self.iteration) * 1_009 + fabric.global_rank)
        for optimizer, highest in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(
                    highest, self.iteration, schedule.iterations, schedule.warm_up
                )
            optimizer.zero_grad()
        images = images.to(fabric.device, memory_format=torch.channels_last)
        self.module.train()
        losses = self.module(_Unrounded(images, [each.to(fabric.device) for each in known]))
        fabric.backward(losses["loss"])
        fabric.clip_gradients(
            self.module,
            self.optimizers[0][0],
            max_norm=self.largest_gradient,
            error_if_nonfinite=False,
        )
        for optimizer, _ in self.optimizers:
            optimizer.step()
        follow(self.average, self.trained, self.iteration, schedule.averaging)
        self.iteration += 1
        self.seconds += time.monotonic() - started
        detached: Mapping[str, Tensor] = {name: loss.detach() for name, loss in losses.items()}
        return detached

    def save(self, path: Path) -> None:
        """Write all that `resume` needs, whole or not at all."""
        save_checkpoint(
            path,
            {
                **self.belongs_to,
                "iteration": self.iteration,
                "seconds": self.seconds,
                "validation": self.validation,
                "module": self.trained.state_dict(),
                "average": self.average.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer, _ in self.optimizers],
            },
        )

    def resume(self, path: Path) -> None:
        """Take over a checkpoint, if there is one."""
        stored = load_checkpoint(path, self.fabric.device, self.belongs_to)
        if stored is None:
            return
        self.trained.load_state_dict(stored["module"])
        self.average.load_state_dict(stored["average"])
        for (optimizer, _), kept in zip(self.optimizers, stored["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.iteration = stored["iteration"]
        self.seconds = stored["seconds"]
        self.validation = stored["validation"]
