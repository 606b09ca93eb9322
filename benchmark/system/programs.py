"""Runs external programs: argument lists, time limits, errors that say what went wrong."""

from __future__ import annotations

import contextlib
import math
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import psutil

from benchmark.errors import ProgramError, UsageError
from benchmark.system.memory import note_program

_TIMEOUT_VARIABLE = "BENCHMARK_TIMEOUT"
_MORE_TIME = f"the codec's option timeout and {_TIMEOUT_VARIABLE} set the limit"
_CLOCK_PER_LIMIT = 20
_LEAST_CLOCK_S = 10.0
_SHOWN_LINES = 3
_LOOK_S = 0.2


class _OutOfTime(Exception):
    """A program has used up its time; what it had printed by then."""

    def __init__(self, message: str, printed: bytes) -> None:
        super().__init__(message)
        self.printed = printed


def time_limit(codec: str, option: str) -> float | None:
    """Return the seconds of processor time that the user grants every program, if any.

    Args:
        codec: name of the codec whose program it is.
        option: what the user gave as its option timeout; if empty, the environment variable
            BENCHMARK_TIMEOUT is read.

    Returns:
        None if neither says anything: the caller's own limit holds.

    Raises:
        UsageError: if it is not a number above 0.
    """
    given = option or os.environ.get(_TIMEOUT_VARIABLE, "")
    if not given:
        return None
    with contextlib.suppress(ValueError):
        if 0 < float(given) < math.inf:
            return float(given)
    source = (
        f"option {codec}.timeout" if option else f"the environment variable {_TIMEOUT_VARIABLE}"
    )
    raise UsageError(f"{source} is {given!r}, not a number of seconds above 0")


def run_program(
    arguments: Sequence[str | Path],
    *,
    stdin: bytes = b"",
    timeout: float,
    log: Path | None = None,
    check: bool = True,
) -> bytes:
    """Run a program to its end and return its standard output.

    The time limit counts the processor's time, so that nothing fails because a machine has much
    to do. What hangs without computing is ended by the clock, after 20 times the limit and not
    before 10 seconds.

    Args:
        arguments: the program and its arguments, passed as they are, without a shell.
        stdin: what the program reads from its standard input.
        timeout: seconds of processor time after which the program is killed; those of the
            processes that it starts count as its own, and they are killed with it.
        log: where the program's whole output is kept if it fails.
        check: whether an exit code other than 0 is an error.

    Raises:
        ProgramError: with the first and the last lines that the program printed.
    """
    name = Path(arguments[0]).name
    with _standard_input(stdin) as source:
        try:
            done = _run([str(argument) for argument in arguments], source, timeout)
        except _OutOfTime as error:
            kept = _keep(error.printed, log)
            raise ProgramError(f"{name} {error} ({_MORE_TIME}){kept}") from error
        except OSError as error:
            raise ProgramError(f"{arguments[0]} cannot be started: {error.strerror}") from error
    if check and done.returncode != 0:
        output = done.stderr if done.stderr.strip() else done.stdout
        kept = _keep(done.stdout + done.stderr, log)
        ended = f"was ended by signal {-done.returncode}"
        failed = f"failed with exit code {done.returncode}"
        how = ended if done.returncode < 0 else failed
        raise ProgramError(f"{name} {how}: {outline(output)}{kept}")
    return done.stdout


@contextlib.contextmanager
def working_folder(name: str) -> Iterator[Path]:
    """Yield an empty folder for the files of a program; it is removed afterwards.

    Raises:
        ProgramError: if the temporary folder of the system cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}-"))
        except OSError as error:
            raise _no_temporary_file(error) from error
        yield Path(folder)


def _standard_input(content: bytes) -> IO[bytes]:
    try:
        source = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
        source.write(content)
        source.seek(0)
    except OSError as error:
        raise _no_temporary_file(error) from error
    return source


def _no_temporary_file(error: OSError) -> ProgramError:
    return ProgramError(
        f"temporary files cannot be written ({error.strerror}): make room, or name another "
        "folder for them in the environment variable TMPDIR"
    )


def _run(
    arguments: list[str], source: IO[bytes], timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """As `subprocess.run`, with an eye on the processor's time and the memory."""
    clock_limit = max(_CLOCK_PER_LIMIT * timeout, _LEAST_CLOCK_S)
    deadline = time.monotonic() + clock_limit
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=source, stdout=pipe, stderr=pipe) as process:
        try:
            while True:
                try:
                    output = process.communicate(timeout=_LOOK_S)
                    return subprocess.CompletedProcess(arguments, process.returncode, *output)
                except subprocess.TimeoutExpired as running:
                    note_program(process.pid)
                    printed = (running.stdout or b"") + (running.stderr or b"")
                    used = _processor_s(process.pid)
                    if used > timeout:
                        limit = f"{timeout:g} s of processor time"
                        raise _OutOfTime(f"did not end within {limit}", printed) from None
                    if time.monotonic() > deadline:
                        limit = f"{clock_limit:g} s"
                        computed = f"of which it computed {used:.1f} s"
                        raise _OutOfTime(f"hangs: {limit}, {computed}", printed) from None
        except BaseException:
            for running_process in _tree(process.pid):
                with contextlib.suppress(psutil.Error):
                    running_process.kill()
            raise


def _tree(number: int) -> list[psutil.Process]:
    """Return the process of that number and all that it started, as far as they still run."""
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(number)
        return [first, *first.children(recursive=True)]
    return []


def _processor_s(number: int) -> float:
    """Return the seconds for which a process and all that it started have computed."""
    seconds = 0.0
    for process in _tree(number):
        with contextlib.suppress(psutil.Error):
            seconds += sum(process.cpu_times()[:4])  # user, system; those of ended children
    return seconds


def outline(output: bytes) -> str:
    """Return the beginning and the end of what a program printed, as one line for a message.

    Its own reason stands at the beginning as often as at the end. Repetitions and addresses in
    memory, which differ from call to call, are left out.
    """
    text = re.sub(r" @ 0x[0-9a-f]+", "", output.decode(errors="replace"))
    lines = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if len(lines) > 2 * _SHOWN_LINES:
        lines = [*lines[:_SHOWN_LINES], "...", *lines[-_SHOWN_LINES:]]
    return " | ".join(lines) or "it printed nothing"


def _keep(output: bytes, log: Path | None) -> str:
    if log is None:
        return ""
    try:
        log.write_bytes(output)
    except OSError as error:
        return f" (its output cannot be kept in {log}: {error.strerror})"
    return f" (its output is in {log})"
