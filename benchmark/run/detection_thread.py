"""Detection in threads of this process, in batches, while other processes encode."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from types import TracebackType

from benchmark.analysis import AnalysisNetwork, Detection
from benchmark.image import Image
from benchmark.runner import Failed, Finished, Outcome, attempt

BATCH = 4
"""The most images that are computed at once."""

Detected = tuple[Outcome[Image, Sequence[Detection]], float]
"""What came of an image, and the seconds that it took (the image's share of its batch's)."""


class DetectionThreads:
    """Threads that detect what waits, up to `BATCH` images at once, one thread for each network.

    A result never waits for a batch to be full. A context manager; left with an error, it does
    not begin what still waits.
    """

    def __init__(self, networks: Sequence[AnalysisNetwork]) -> None:
        """Begin to wait for images.

        Args:
            networks: the same network on each of the devices.
        """
        self._networks: SimpleQueue[AnalysisNetwork] = SimpleQueue()
        for network in networks:
            self._networks.put(network)
        self._waiting: SimpleQueue[tuple[Image, Future[Detected]]] = SimpleQueue()
        self._threads = ThreadPoolExecutor(len(networks))

    def __enter__(self) -> DetectionThreads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(cancel_futures=error is not None)

    def detect(self, image: Image) -> Future[Detected]:
        """Let a thread detect in an image; return at once."""
        found: Future[Detected] = Future()
        self._waiting.put((image, found))
        self._threads.submit(self._step)
        return found

    def _step(self) -> None:
        """Detect in the next batch: nothing, where an earlier step has taken all."""
        batch: list[tuple[Image, Future[Detected]]] = []
        try:
            while len(batch) < BATCH:
                batch.append(self._waiting.get_nowait())
        except Empty:
            if not batch:
                return
        network = self._networks.get()
        started = time.perf_counter()
        found = attempt(network.detect, [image for image, _ in batch])
        seconds = (time.perf_counter() - started) / len(batch)
        self._networks.put(network)
        for number, (image, future) in enumerate(batch):
            if isinstance(found, Failed):
                future.set_result((Failed(image, found.reason), seconds))
            else:
                future.set_result((Finished(image, found.result[number]), seconds))
