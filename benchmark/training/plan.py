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

from .ahead import Batches, readers_for
from .loop import Schedule, State

_STEPS = 4
"""Of these the first, in which memory is taken and kernels are chosen, does not count."""


@dataclass(frozen=True)
class TrainingPlan:
    """What a training will take.

    Attributes:
        iterations: number of steps.
        batch: images per step and device.
        step_s: seconds that a step takes (median), without waiting for its images.
        read_s: seconds that one thread takes to read the images of a step (median), which are
            not yet in memory.
        readers: number of threads that read.
        memory: bytes at the most, of the process on a CPU and of the device on a GPU.
        device: where it was measured, ``cpu`` or ``cuda``.
        steps: number of steps that were measured.
    """

    iterations: int
    batch: int
    step_s: float
    read_s: float
    readers: int
    memory: int
    device: str
    steps: int

    @property
    def hours(self) -> float:
        """Of all steps, at most: as if no image were kept in memory.

        Images are read in threads while the steps before are computed.
        """
        return self.iterations * max(self.step_s, self.read_s / self.readers) / 3600

    def text(self) -> str:
        """The plan for people."""
        apart = self.read_s / self.readers
        readers = f"{self.readers} thread{'s' if self.readers > 1 else ''}"
        slower = apart > self.step_s
        wait = ", slower than the steps: they wait until the images are in memory" if slower else ""
        return (
            f"{self.step_s:.2f} s a step on {self.device} ({1 / self.step_s:.3g} steps, "
            f"{self.batch / self.step_s:.3g} images a second; {self.steps} steps measured): "
            f"{self.iterations} steps take {self.hours:.1f} h, validation aside\n"
            f"reading: {self.read_s:.2f} s for the {self.batch} images of a step, in "
            f"{readers} {self.batch / apart:.3g} images a second{wait}\n"
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
        readers_for(fabric.device.type),
        torch.cuda.max_memory_allocated(fabric.device) if on_gpu else peak_memory(),
        fabric.device.type,
        len(stepping) - 1,
    )
