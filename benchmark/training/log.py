"""Log a training's progress as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.system.files import write_whole

_LOG_EVERY = 20


class Log:
    """A training's progress as data: one JSON object a line."""

    def __init__(self, path: Path, iteration: int) -> None:
        """Go on with a log; lines after the step from which the training goes on are dropped."""
        self._path = path
        self._sums: dict[str, list[Tensor]] = {}
        kept = [line for line in _lines(path) if line["iteration"] <= iteration]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def add(self, iteration: int, seconds: float, losses: Mapping[str, Tensor]) -> None:
        """Note the losses of a step, scalars on any device; every 20 steps write their means.

        Only then are they fetched from a GPU, which until then computes ahead.
        """
        for name, value in losses.items():
            self._sums.setdefault(name, []).append(value.detach().float())
        if iteration % _LOG_EVERY == 0:
            means = {name: float(torch.stack(all_).mean()) for name, all_ in self._sums.items()}
            rounded = {name: round(mean, 6) for name, mean in means.items()}
            self.write({"iteration": iteration, "seconds": round(seconds, 1), **rounded})
            self._sums = {}

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the log's lines up to the first that is not whole."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return
