"""The contract of a runner (`benchmark.runner.Runner`)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from benchmark.contracts.outcome import Check, checked, expect
from benchmark.runner import Failed, Finished, Runner, open_runner

_JOBS = 2
_TASKS = 6


def check_runner(spec: str) -> Iterator[Check]:
    """Put a runner through its contract.

    Raises:
        UsageError: if it cannot be used here.
    """
    runner = open_runner(spec, _JOBS)
    try:
        yield checked("it says how many tasks it works on at once", lambda: _workers(runner))
        yield checked("every task is carried out once", lambda: _all_once(runner))
        yield checked("no tasks give no outcomes", lambda: _none(runner))
        yield checked("constants are handed to each task", lambda: _constants(runner))
        yield checked("a task that raises fails alone", lambda: _one_fails(runner, _raise))
        yield checked("a task that exits fails alone", lambda: _one_fails(runner, _exit))
        yield checked("a task whose worker dies fails alone", lambda: _one_fails(runner, _die))
        yield checked("it works on after that", lambda: _all_once(runner))
    finally:
        closed = checked("it can be closed", runner.close)
    yield closed


def _workers(runner: Runner) -> str:
    expect(isinstance(runner.workers, int) and runner.workers > 0, f"{runner.workers!r}")
    return str(runner.workers)


def _all_once(runner: Runner) -> None:
    outcomes = list(runner.run(_twice, range(_TASKS)))
    expect(all(isinstance(its, Finished) for its in outcomes), f"{outcomes!r:.200}")
    found = sorted((its.task, its.result) for its in outcomes if isinstance(its, Finished))
    expect(found == [(n, 2 * n) for n in range(_TASKS)], f"{found}")


def _none(runner: Runner) -> None:
    expect(list(runner.run(_twice, [])) == [], "there are some")


def _constants(runner: Runner) -> None:
    outcomes = list(runner.run(_sum, range(3), constants=(bytes(1_000_000), 5)))
    found = sorted(getattr(its, "result", -1) for its in outcomes)
    expect(found == [1_000_005, 1_000_006, 1_000_007], f"{outcomes!r:.200}")


def _one_fails(runner: Runner, function: Any) -> str:
    outcomes = {its.task[0]: its for its in runner.run(function, _numbered())}
    failed = outcomes.pop(3, None)
    expect(isinstance(failed, Failed), f"its outcome is {failed!r:.200}")
    assert isinstance(failed, Failed)
    expect(failed.reason and "\n" not in failed.reason, f"the reason is {failed.reason!r:.200}")
    done = [its for its in outcomes.values() if isinstance(its, Finished)]
    expect(len(done) == _TASKS - 1, f"{_TASKS - 1 - len(done)} others failed or are missing")
    return failed.reason


def _numbered() -> Sequence[tuple[int, int]]:
    return [(number, os.getpid()) for number in range(_TASKS)]


def _twice(task: int) -> int:
    return 2 * task


def _sum(content: bytes, number: int, task: int) -> int:
    return len(content) + number + task


def _raise(task: tuple[int, int]) -> int:
    if task[0] == 3:
        raise ZeroDivisionError("three")
    return task[0]


def _exit(task: tuple[int, int]) -> int:
    if task[0] == 3:
        sys.exit("three")
    return task[0]


def _die(task: tuple[int, int]) -> int:
    if task[0] == 3 and os.getpid() != task[1]:  # in this process nothing can be told any more
        os.kill(os.getpid(), signal.SIGKILL)
    if task[0] == 3:
        raise RuntimeError("the task runs in the main process, where a crash would end the run")
    return task[0]
