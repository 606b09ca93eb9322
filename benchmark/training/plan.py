"""Say what a training will take, from a few of its steps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import nn

from benchmark.system.memory import peak_memory

from .loop import Batches, Schedule, State

_STEPS = 4
"""Of these the first, in which memory is taken and kernels are chosen, does not count."""


@dataclass(frozen=True)
class TrainingPlan:
    """What a training will take.

    Attributes:
        iterations: number of steps.
        batch: images per step and device.
        step_s: seconds that a step takes (median), without waiting for its images.
        read_s: seconds that the images of a step take to be read for the first time (median).
        memory: bytes at the most, of the process on a CPU and of the device on a GPU.
        device: where it was measured, ``cpu`` or ``cuda``.
        steps: number of steps that were measured.
    """

    iterations: int
    batch: int
    step_s: float
    read_s: float
    memory: int
    device: str
    steps: int

    @property
    def hours(self) -> float:
        """Of all steps; images are read while the step before is computed."""
        return self.iterations * max(self.step_s, self.read_s) / 3600

    def text(self) -> str:
        """The plan for people."""
        return (
            f"{self.step_s:.2f} s a step on {self.device} ({1 / self.step_s:.3g} steps, "
            f"{self.batch / self.step_s:.3g} images a second; {self.steps} steps measured): "
            f"{self.iterations} steps take {self.hours:.1f} h, validation aside\n"
            f"reading: {self.read_s:.2f} s for the {self.batch} images of a step, "
            f"{self.batch / self.read_s:.3g} images a second\n"
            f"memory: {self.memory / 1e9:.1f} GB"
        )


def plan(
    fabric: Fabric,
    module: nn.Module,
    optimizers: Sequence[tuple[torch.optim.Optimizer, float]],
    batches: Batches,
    schedule: Schedule,
    *,
    largest_gradient: float,
) -> TrainingPlan:
    """Take a few steps as `loop.train` would, with the same arguments, and write nothing."""
    state = State(fabric, module, optimizers, schedule, largest_gradient, {})
    reading, stepping = [], []
    for number in range(_STEPS):
        started = time.perf_counter()
        batch = batches[number]
        read = time.perf_counter()
        losses = state.step(*batch)
        float(losses["loss"])  # a GPU computes ahead until it is asked
        reading.append(read - started)
        stepping.append(time.perf_counter() - read)
    on_gpu = fabric.device.type == "cuda"
    return TrainingPlan(
        schedule.iterations,
        schedule.batch,
        statistics.median(stepping[1:]),
        statistics.median(reading),
        torch.cuda.max_memory_allocated(fabric.device) if on_gpu else peak_memory(),
        fabric.device.type,
        len(stepping) - 1,
    )
