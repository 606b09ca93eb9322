"""What all trainings share: logs as data, checkpoints, and interruptions that lose nothing."""

from __future__ import annotations

import io
import json
import math
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmark.errors import UsageError
from benchmark.system.files import write_whole

WEIGHTS = "weights.safetensors"
CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"

_LOG_EVERY = 20


class Log:
    """A training's progress as data: one JSON object a line."""

    def __init__(self, path: Path, iteration: int) -> None:
        """Goes on with a log; lines after the step from which the training goes on are dropped."""
        self._path = path
        self._sums: dict[str, list[float]] = {}
        kept = [line for line in _lines(path) if line["iteration"] <= iteration]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def add(self, iteration: int, seconds: float, losses: Mapping[str, float]) -> None:
        """Notes the losses of a step; every 20 steps their means are written."""
        for name, value in losses.items():
            self._sums.setdefault(name, []).append(value)
        if iteration % _LOG_EVERY == 0:
            means = {name: round(float(np.mean(all_)), 6) for name, all_ in self._sums.items()}
            self.write({"iteration": iteration, "seconds": round(seconds, 1), **means})
            self._sums = {}

    def write(self, line: Mapping[str, Any]) -> None:
        """Appends a line."""
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


def save_checkpoint(path: Path, stored: Mapping[str, Any]) -> None:
    """Writes tensors, numbers, texts and containers of them, complete or not at all."""
    content = io.BytesIO()
    torch.save(dict(stored), content)
    write_whole(path, content.getvalue())


def load_checkpoint(
    path: Path, device: torch.device, belongs_to: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What `save_checkpoint` wrote, or None where there is no file.

    Args:
        path: the file.
        device: where its tensors go.
        belongs_to: entries that must be in it with these values.

    Raises:
        UsageError: if it is no such file, or belongs to another training.
    """
    if not path.exists():
        return None
    try:
        stored: dict[str, Any] = torch.load(path, device, weights_only=True)
        known = {name: stored[name] for name in belongs_to}
    except Exception as error:  # torch raises many kinds for a file that is none of its own
        raise UsageError(f"{path} is not a readable checkpoint: {error}") from error
    for name, value in belongs_to.items():
        if known[name] != value:
            raise UsageError(
                f"{path} belongs to a training with another {name} ({known[name]}): delete it, "
                "or train into another folder"
            )
    return stored


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, iteration: int, decay: float) -> None:
    """Moves a moving average of a network's weights towards the network, quickly at first."""
    decay = min(decay, (1 + iteration) / (10 + iteration))
    current = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], 1 - decay)
        else:
            value.copy_(current[name])


def learning_rate(highest: float, iteration: int, iterations: int, warm_up: int) -> float:
    """The learning rate of a step: a linear rise over ``warm_up`` steps, times half a cosine."""
    rise = min(1.0, (iteration + 1) / warm_up)
    return highest * rise * (1 + math.cos(math.pi * iteration / iterations)) / 2


@contextmanager
def interruptions() -> Iterator[threading.Event]:
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
