"""What a runner is, and how runners are found."""

from __future__ import annotations

import os
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from benchmark.errors import CodecUnavailable, ProgramError, UsageError
from benchmark.plugins import Kind, guarded
from benchmark.system.time_limit import TimeLimitExceeded

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Finished(Generic[Task, Result]):
    """A task that was carried out."""

    task: Task
    result: Result


@dataclass(frozen=True)
class Failed(Generic[Task]):
    """A task that could not be carried out, with the reason in one line."""

    task: Task
    reason: str


Outcome = Finished[Task, Result] | Failed[Task]


class Runner(ABC):
    """Carries out tasks, somewhere. It does not know what a codec is.

    ``python -m benchmark check NAME`` puts a runner through all that is asked for here.
    """

    name: ClassVar[str]

    where: ClassVar[str] = ""
    """What follows the colon of ``--runner NAME:WHERE``: empty for nothing, ``HOST:PORT`` for
    something that must, ``[FILE]`` for something that may."""

    workers: int
    """Number of tasks that are worked on at once."""

    @abstractmethod
    def __init__(self, jobs: int | None, where: str) -> None:
        """Start working.

        Args:
            jobs: number of tasks to work on at once; None for as many as there are cores.
            where: what follows the colon; empty without one.

        Raises:
            UsageError: if that cannot be.
        """

    @abstractmethod
    def run(
        self, function: Callable[..., Result], tasks: Sequence[Task], constants: Sequence[Any] = ()
    ) -> Iterator[Outcome[Task, Result]]:
        """Apply a pure, picklable function to tasks; yield the outcomes as they finish.

        A task that raises, or whose worker dies, is a `Failed`; the others go on.

        Args:
            function: takes the constants and a task.
            tasks: in the order in which they are begun.
            constants: large values that are handed to each worker once.
        """

    def on_each_worker(self, function: Callable[[], Result]) -> Mapping[str, Result]:
        """Call a function once on each worker; return the results by the workers' names.

        None of workers that are processes on this machine: they have what this process has.
        """
        return {}

    def warm_up(self, function: Callable[[], object]) -> None:  # noqa: B027  # others need not
        """Let workers that are started anew begin with what all tasks need; do not wait for it.

        Args:
            function: picklable; what it raises is forgotten, the first task will raise it again.
        """

    def close(self) -> None:  # noqa: B027  # most runners hold nothing
        """Let go of what the runner holds, such as connections."""


class HereRunner(Runner):
    """Carries out tasks in this process, one after the other: for little work beside the run's."""

    name = "here"

    def __init__(self, jobs: int | None = None, where: str = "") -> None:
        self.workers = 1

    def run(
        self, function: Callable[..., Result], tasks: Sequence[Task], constants: Sequence[Any] = ()
    ) -> Iterator[Outcome[Task, Result]]:
        return (attempt(function, task, constants) for task in tasks)


RUNNERS: Kind[Runner] = Kind("runner", "benchmark.runners", Runner)


def open_runner(spec: str, jobs: int | None) -> Runner:
    """Return the runner that ``NAME`` or ``NAME:WHERE`` asks for.

    Raises:
        UsageError: if there is none of that name, or it cannot be used here.
    """
    name, where = RUNNERS.split(spec)
    found = RUNNERS.load(name)
    return guarded(f"the runner {name} cannot be used here", lambda: found(jobs, where))


def attempt(
    function: Callable[..., Result], task: Task, constants: Sequence[Any] = ()
) -> Outcome[Task, Result]:
    """Carry out a task in this process; whatever goes wrong becomes a `Failed`.

    That holds for `SystemExit` and `KeyboardInterrupt` too: workers do not hear the terminal's
    Ctrl-C, so it is the task's own. A copy of this process that a task left behind by forking
    ends here.
    """
    process = os.getpid()
    try:
        return Finished(task, function(*constants, task))
    except (CodecUnavailable, ProgramError, UsageError, TimeLimitExceeded) as error:
        return Failed(task, str(error))
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        kind, text = type(error).__name__, f": {error}" if str(error) else ""
        return Failed(task, f"{kind} in {where.filename}:{where.lineno}{text}")
    finally:
        if os.getpid() != process:
            os._exit(1)
