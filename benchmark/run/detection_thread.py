"""Detection apart from the encoding: on a device of its own, in batches."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from types import TracebackType

from benchmark.analysis import AnalysisNetwork, Detection, open_analysis
from benchmark.image import Image
from benchmark.runner import Failed, Finished, Outcome, attempt

BATCH = 4
"""The most images that are computed at once."""

_MOST_WAITING = 16

Done = Callable[[Outcome[Image, Sequence[Detection]], float], None]
"""Takes what came of an image, and the seconds that it took (its share of the batch's)."""


def own_device() -> str | None:
    """The device on which detection runs apart from the encoding: CUDA, or None without one."""
    import torch

    return "cuda" if torch.cuda.is_available() else None


class DetectionApart:
    """A thread that detects while other processes encode.

    It takes what waits, up to `BATCH` images at once: a result never waits for a batch to be
    full. A context manager; what waits is done when it is left.
    """

    def __init__(self, spec: str, device: str) -> None:
        """Opens the analysis network.

        Args:
            spec: as for `open_analysis`.
            device: ``cuda``, or ``cpu`` for tests.

        Raises:
            UsageError: if there is no such network, or its weights are missing or unreadable.
        """
        self._network = _opened(spec, device)
        self._waiting: SimpleQueue[tuple[Image, Done]] = SimpleQueue()
        self._steps: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> DetectionApart:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown()
        if error is None:
            self._check(0)

    def detect(self, image: Image, done: Done) -> None:
        """Lets the thread detect in an image, and then call `done`.

        Returns at once, unless many images wait. Raises what an earlier `done` raised.
        """
        self._waiting.put((image, done))
        self._steps.append(self._thread.submit(self._step))
        self._check(_MOST_WAITING)

    def _check(self, most: int) -> None:
        """Waits until at most so many steps are left; raises what a `done` raised."""
        while self._steps and (self._steps[0].done() or len(self._steps) > most):
            self._steps.popleft().result()

    def _step(self) -> None:
        """Detects in the next batch: nothing, where an earlier step has taken all."""
        batch: list[tuple[Image, Done]] = []
        try:
            while len(batch) < BATCH:
                batch.append(self._waiting.get_nowait())
        except Empty:
            if not batch:
                return
        images = [image for image, _ in batch]
        started = time.perf_counter()
        found = attempt(self._network.detect, images)
        seconds = (time.perf_counter() - started) / len(batch)
        for number, (image, done) in enumerate(batch):
            if isinstance(found, Failed):
                done(Failed(image, found.reason), seconds)
            else:
                done(Finished(image, found.result[number]), seconds)


def _opened(spec: str, device: str) -> AnalysisNetwork:
    import torch

    # TF32, which convolutions take otherwise, has 10 bits: detections would not be a CPU's
    torch.backends.cudnn.allow_tf32 = False
    return open_analysis(spec, device=device)
