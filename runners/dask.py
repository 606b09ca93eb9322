"""Carries out tasks on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from distributed import Client, Future, as_completed, wait

from benchmark.errors import UsageError
from benchmark.runner import Failed, Outcome, Result, Runner, Task, attempt


class DaskRunner(Runner):
    """The workers of a scheduler: ``--runner dask:tcp://HOST:PORT``.

    Start the workers with one thread each (``dask worker --nthreads 1 --nworkers N``), where the
    data set, the programs and this package are found under the same paths as here.
    """

    name = "dask"
    where = "tcp://HOST:PORT"

    def __init__(self, jobs: int | None = None, where: str = "") -> None:
        try:
            self._client = Client(where, timeout=10)
        except (OSError, ValueError) as error:
            raise UsageError(f"no Dask scheduler answers at {where}: {error}") from error
        threads = sum(self._client.nthreads().values())
        if not threads:
            raise UsageError(f"the Dask scheduler at {where} has no workers: start some")
        self.workers = min(jobs or threads, threads)

    def run(
        self, function: Callable[..., Result], tasks: Sequence[Task], constants: Sequence[Any] = ()
    ) -> Iterator[Outcome[Task, Result]]:
        handed = self._client.scatter(list(constants), broadcast=True) if constants else []
        waiting = iter(tasks)
        working = as_completed()
        tasks_of = {}
        died = []

        def start(task: Task) -> Future:
            return self._client.submit(attempt, function, task, handed, pure=False)

        def start_next() -> None:
            for task in waiting:
                future = start(task)
                tasks_of[future] = task
                working.add(future)
                return

        for _ in range(self.workers):
            start_next()
        for future in working:
            task = tasks_of.pop(future)
            start_next()
            if future.status == "finished":
                yield future.result()
            else:  # Dask has tried it on several workers, and each has died
                died.append(task)
        for task in died:  # alone: another task may have been what killed them
            future = start(task)
            wait(future)
            if future.status == "finished":
                yield future.result()
            else:
                yield Failed(task, f"its Dask workers died: {future.exception()}")

    def close(self) -> None:
        self._client.close()
