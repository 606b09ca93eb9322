"""Carries out tasks in processes on this machine, one thread each."""

from __future__ import annotations

import functools
import os
import pickle
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor, process_executor

from benchmark.errors import UsageError
from benchmark.runner import Failed, Outcome, Result, Runner, Task, attempt

# loky starts a worker anew when its memory has grown; nothing is lost by that.
warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")

# loky's own limit, 300 MB, is what a few codecs' weights take: it would start workers all the time.
_MOST_GROWTH = 2_000_000_000

_IDLE_S = 600
"""After which a worker without a task ends; its next one opens all codecs and networks again."""


def _environment() -> dict[str, str]:
    """That of the workers: one thread each.

    loky keeps workers while it is the same, so it holds all that they take over when they start.
    """
    return {
        **os.environ,
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        "PYTHONUNBUFFERED": "1",  # what a worker printed is seen even if it dies
        "PWD": str(Path.cwd()),
    }


class LocalRunner(Runner):
    """A pool of joblib's loky processes."""

    name = "local"

    def __init__(self, jobs: int | None = None, where: str = "") -> None:
        self.workers = jobs or joblib.cpu_count()

    def warm_up(self, function: Callable[[], object]) -> None:
        executor = _executor(self.workers)
        for _ in range(self.workers):
            executor.submit(_in_worker, os.getpid(), _call, function)

    def run(
        self, function: Callable[..., Result], tasks: Sequence[Task], constants: Sequence[Any] = ()
    ) -> Iterator[Outcome[Task, Result]]:
        if not constants:
            yield from self._run(function, tasks)
            return
        with tempfile.TemporaryDirectory(prefix="constants-") as folder:
            file = Path(folder, "constants")
            file.write_bytes(pickle.dumps(tuple(constants)))
            yield from self._run(functools.partial(_with_constants, function, file), tasks)

    def _run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[Outcome[Task, Result]]:
        waiting = dict(enumerate(tasks))
        while waiting:
            try:
                for number, outcome in _pool(self.workers, function, waiting):
                    del waiting[number]
                    yield outcome
            except BrokenProcessPool:
                # Tasks start in order, so the one that took its worker down is among the first.
                for number in list(waiting)[: 2 * self.workers]:
                    yield _alone(function, waiting.pop(number))


def _call(function: Callable[[], Result]) -> Result:
    return function()


def _executor(workers: int) -> Any:
    try:
        return get_reusable_executor(max_workers=workers, timeout=_IDLE_S, env=_environment())
    except OSError as error:
        raise UsageError(
            f"worker processes cannot be started ({error.strerror}): their semaphores lie in "
            "/dev/shm, which has to be writable"
        ) from error


def _pool(
    workers: int, function: Callable[[Task], Result], tasks: dict[int, Task]
) -> Iterator[tuple[int, Outcome[Task, Result]]]:
    executor = _executor(workers)
    waiting = iter(list(tasks.items()))
    working: dict[Future[Outcome[Task, Result]], int] = {}

    def start_next() -> None:
        for number, task in waiting:
            working[executor.submit(_in_worker, os.getpid(), function, task)] = number
            return

    try:
        # No more than the pool's own queue takes: a pool that is stopped forgets the others,
        # and loky stumbles over them.
        for _ in range(2 * workers):
            start_next()
        while working:
            for future in wait(working, return_when=FIRST_COMPLETED).done:
                number, outcome = working.pop(future), future.result()
                start_next()
                yield number, outcome
    except BaseException:
        # loky's own thread still hands out what was submitted, and stumbles if it is stopped.
        deadline = time.monotonic() + 5
        while any(not future.running() and not future.done() for future in working):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        executor.shutdown(wait=False, kill_workers=True)
        raise


def _alone(function: Callable[[Task], Result], task: Task) -> Outcome[Task, Result]:
    try:
        return next(outcome for _, outcome in _pool(1, function, {0: task}))
    except BrokenProcessPool:
        return Failed(task, "its worker process died (killed, out of memory, or crashed)")


def _in_worker(
    parent: int, function: Callable[[Task], Result], task: Task
) -> Outcome[Task, Result]:
    _end_with(parent)
    process_executor._MAX_MEMORY_LEAK_SIZE = _MOST_GROWTH
    return attempt(function, task)


def _with_constants(function: Callable[..., Result], file: Path, task: Task) -> Result:
    return function(*_constants(file), task)


@functools.lru_cache(1)
def _constants(file: Path) -> tuple[Any, ...]:
    """What the main process wrote for this run, read once by each worker."""
    constants: tuple[Any, ...] = pickle.loads(file.read_bytes())
    return constants


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
