"""Carries out tasks in processes on this machine, one thread each."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from benchmark.runner import Failed, Outcome, Result, Runner, Task, attempt


class LocalRunner(Runner):
    """joblib's loky back end: a pool of processes."""

    name = "local"

    def __init__(self, jobs: int | None = None, where: str = "") -> None:
        self.workers = jobs or joblib.cpu_count()

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[Outcome[Task, Result]]:
        waiting = dict(enumerate(tasks))
        while waiting:
            try:
                for number, outcome in _pool(self.workers, function, waiting):
                    del waiting[number]
                    yield outcome
            except TerminatedWorkerError:
                # Tasks start in order, so the one that took its worker down is among the first.
                for number in list(waiting)[: 2 * self.workers]:
                    yield _alone(function, waiting.pop(number))


def _pool(
    workers: int, function: Callable[[Task], Result], tasks: dict[int, Task]
) -> Iterator[tuple[int, Outcome[Task, Result]]]:
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(
            n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs"
        )
        yield from parallel(
            joblib.delayed(_in_worker)(os.getpid(), function, number, task)
            for number, task in list(tasks.items())
        )


def _alone(function: Callable[[Task], Result], task: Task) -> Outcome[Task, Result]:
    try:
        return next(outcome for _, outcome in _pool(1, function, {0: task}))
    except TerminatedWorkerError:
        return Failed(task, "its worker process died (killed, out of memory, or crashed)")


def _in_worker(
    parent: int, function: Callable[[Task], Result], number: int, task: Task
) -> tuple[int, Outcome[Task, Result]]:
    if os.getpid() != parent:
        _end_with(parent)
    return number, attempt(function, task)


_watched: set[int] = set()


def _end_with(parent: int) -> None:
    """Ends this worker, and the programs that it started, soon after its parent is gone.

    Otherwise an encoder that takes minutes goes on beside the run that is started again.
    """
    if parent in _watched:
        return
    _watched.add(parent)
    os.setpgid(0, 0)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
