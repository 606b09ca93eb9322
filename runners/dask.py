"""Carries out tasks on a Dask cluster."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from typing import Any

from distributed import Client, Future
from distributed.comm import CommClosedError

from benchmark.errors import UsageError
from benchmark.runner import Failed, Outcome, Result, Runner, Task, attempt

_PATIENCE_S = 600.0
"""How long a scheduler may be gone. One without workers is waited for as long as it takes."""

_LOOK_AFTER_S = 2.0
"""How often the workers are counted, and the scheduler is looked for."""

_TOGETHER = 100
"""Of how many tasks the results are fetched at once: there are bitstreams among them."""

_GONE = (CancelledError, CommClosedError, OSError, TimeoutError)
"""What calls raise while there is no scheduler, or what they ask for was lost with it."""

_log = logging.getLogger("benchmark")
logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # this module says it itself


class DaskRunner(Runner):
    """The workers of a scheduler: ``--runner dask:tcp://HOST:PORT``.

    Start the workers with one thread each (``dask worker --nthreads 1 --nworkers N``), where the
    programs and this package are found under the same paths as here. Workers may come and go. A
    scheduler that is gone is waited for; what was being worked on is then begun again.
    """

    name = "dask"
    where = "tcp://HOST:PORT"

    def __init__(self, jobs: int | None = None, where: str = "") -> None:
        self._where, self._jobs = where, jobs
        try:
            self._client = Client(where, timeout=10)
        except (OSError, ValueError) as error:
            raise UsageError(f"no Dask scheduler answers at {where}: {error}") from error
        self.workers = self._wait_for_workers()

    def on_each_worker(self, function: Callable[[], Result]) -> dict[str, Result]:
        """As the base class; a worker that dies meanwhile has no result."""
        results: dict[str, Any] = {}
        while not results:
            self._wait_for_workers()
            with suppress(*_GONE):
                results = self._client.run(function, on_error="return")
            results = {name: its for name, its in results.items() if not isinstance(its, _GONE)}
        for its in results.values():
            if isinstance(its, Exception):
                raise its
        return results

    def run(
        self, function: Callable[..., Result], tasks: Sequence[Task], constants: Sequence[Any] = ()
    ) -> Iterator[Outcome[Task, Result]]:
        died = yield from self._carry_out(function, tasks, constants)
        for failed in died:  # alone: another task may have been what killed its workers
            yield from (yield from self._carry_out(function, [failed.task], constants))

    def _carry_out(
        self, function: Callable[..., Result], tasks: Sequence[Task], constants: Sequence[Any]
    ) -> Generator[Outcome[Task, Result], None, list[Failed[Task]]]:
        """Yield what came of the tasks; return those that Dask gave up, as their workers died."""
        ahead = iter(tasks)  # one by one: a task may hold an image that is read only now
        again: list[Task] = []
        died: list[Failed[Task]] = []
        working: dict[Any, tuple[Future, Task]] = {}
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        handed = self._hand(constants)
        looked = time.monotonic()
        while True:
            # twice as many as are worked on, so that no worker waits for this process
            while len(working) < 2 * self.workers:
                task = again.pop() if again else next(ahead, _NONE)
                if task is _NONE:
                    break
                if self._client.status == "closed":
                    again.append(task)
                    break
                future = self._client.submit(_attempt, function, task, handed, pure=False)
                working[future.key] = future, task
                future.add_done_callback(lambda future: ended.put(future.key))
            if not (again or working):
                return died
            lost = False
            some = [working.pop(key) for key in _next(ended) if key in working]
            for (future, task), outcome in zip(some, self._outcomes(some), strict=True):
                if outcome is not None:
                    yield outcome
                elif future.status == "error":
                    died.append(Failed(task, f"its Dask workers died: {future.exception()}"))
                else:
                    lost = True
                    again.append(task)
            if lost or time.monotonic() - looked > _LOOK_AFTER_S:
                client = self._client
                self.workers = self._wait_for_workers()
                if lost or self._client is not client:
                    handed = self._hand(constants)
                if self._client is not client:  # which knew the others
                    again += [task for _, task in working.values()]
                    working.clear()
                looked = time.monotonic()

    def close(self) -> None:
        self._client.close()

    def _outcomes(self, ended: Sequence[tuple[Future, Any]]) -> list[Any]:
        """What came of tasks, fetched together: one by one, each costs three messages in turn."""
        try:
            results = self._client.gather([future for future, _ in ended])
        except Exception:  # of the cluster: some were lost
            return [_outcome(future, task) for future, task in ended]
        return [replace(its, task=task) for its, (_, task) in zip(results, ended, strict=True)]

    def _count(self) -> int:
        if self._client.status != "running":
            return 0
        try:
            threads = sum(self._client.nthreads().values())
        except _GONE:
            return 0
        return min(self._jobs or threads, threads)

    def _hand(self, constants: Sequence[Any]) -> list[Any]:
        """Put the constants on each worker. What dies meanwhile is waited for."""
        deadline = time.monotonic() + _PATIENCE_S
        while constants:
            try:
                return self._client.scatter(list(constants), broadcast=True)
            except (*_GONE, KeyError, ValueError):  # the last two: a worker died on the way
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)
            self.workers = self._wait_for_workers()
        return []

    def _wait_for_workers(self) -> int:
        """Wait until there is a scheduler with workers; return how many there are.

        Raises:
            UsageError: if there is no scheduler for `_PATIENCE_S`.
        """
        deadline = time.monotonic() + _PATIENCE_S
        told = ""
        while not (workers := self._count()):
            gone = self._client.status != "running"
            state = "is gone" if gone else "has no workers"
            if told != state:
                _log.warning("the Dask scheduler at %s %s: waiting", self._where, state)
                told = state
            if gone and time.monotonic() > deadline:
                raise UsageError(
                    f"no Dask scheduler answers at {self._where} any more: finished work is kept, "
                    "the same command goes on"
                )
            if self._client.status == "closed":
                with suppress(*_GONE, ValueError):
                    self._client = Client(self._where, timeout=_LOOK_AFTER_S)
            time.sleep(0.5)
        return workers


_NONE: Any = object()


def _next(ended: queue.SimpleQueue[Any]) -> list[Any]:
    """Wait for a task to end; return the keys of those that have, at most `_TOGETHER`."""
    keys: list[Any] = []
    with suppress(queue.Empty):
        keys.append(ended.get(timeout=_LOOK_AFTER_S))
        while len(keys) < _TOGETHER:
            keys.append(ended.get_nowait())
    return keys


def _attempt(function: Callable[..., Any], task: Any, constants: Sequence[Any]) -> Any:
    """On a worker: what came of a task, without the task, which may be large."""
    return replace(attempt(function, task, constants), task=None)


def _outcome(future: Future, task: Any) -> Any:
    """What came of a task; None where it was lost, or Dask has given it up with its workers."""
    try:
        return replace(future.result(), task=task)
    except Exception:  # of the cluster: the task's own are in its outcome
        return None
