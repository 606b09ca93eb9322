"""Prepare the batches of coming steps while a step is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import joblib
from torch import Tensor

_MOST_READERS = 8


class Batches(Protocol):
    """Gives the arguments of the module for a step, from the step's number alone.

    Several threads ask at the same time.
    """

    def __getitem__(self, number: int) -> tuple[Tensor, Sequence[Any]]:
        """Return images, N x 3 x H x W in [0, 1], and what is known of each, with ``to``."""
        ...


def ahead(batches: Batches, numbers: range, readers: int) -> Iterator[tuple[Tensor, Sequence[Any]]]:
    """Yield the batches of steps in order, the next ones being prepared in threads.

    Decoding images leaves the interpreter free, so that threads suffice.

    Args:
        batches: what is prepared.
        numbers: of the steps.
        readers: number of threads, and of batches that are kept ready.
    """
    with ThreadPoolExecutor(readers, "batches") as pool:

        def asked(some: range) -> list[Future[tuple[Tensor, Sequence[Any]]]]:
            return [pool.submit(batches.__getitem__, number) for number in some]

        waiting = deque(asked(numbers[:readers]))
        try:
            for place in range(len(numbers)):
                batch = waiting.popleft().result()
                waiting += asked(numbers[place + readers : place + readers + 1])
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)


def readers_for(device: str) -> int:
    """Return how many threads to read with: on a CPU one, because the steps need the cores."""
    return 1 if device == "cpu" else min(_MOST_READERS, joblib.cpu_count())
