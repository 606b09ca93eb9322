"""Runs external programs: argument lists, time limits, errors that say what went wrong."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import ProgramError
from benchmark.system.memory import note_program

_LAST_LINES = 5
_LOOK_S = 0.2


def run_program(
    arguments: Sequence[str | Path],
    *,
    stdin: bytes = b"",
    timeout: float,
    log: Path | None = None,
) -> bytes:
    """Runs a program to its end and returns its standard output.

    Args:
        arguments: the program and its arguments, passed as they are, without a shell.
        stdin: what the program reads from its standard input.
        timeout: seconds after which the program is killed.
        log: where the program's whole output is kept if it fails.

    Raises:
        ProgramError: with the last lines that the program printed.
    """
    name = Path(arguments[0]).name
    try:
        done = _run([str(argument) for argument in arguments], stdin, timeout)
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"") + (error.stderr or b"")
        kept = _keep(output, log)
        raise ProgramError(f"{name} did not end within {timeout:g} s{kept}") from error
    except OSError as error:
        raise ProgramError(f"{arguments[0]} cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        output = done.stderr if done.stderr.strip() else done.stdout
        kept = _keep(done.stdout + done.stderr, log)
        ended = f"was ended by signal {-done.returncode}"
        failed = f"failed with exit code {done.returncode}"
        how = ended if done.returncode < 0 else failed
        raise ProgramError(f"{name} {how}: {last_lines(output)}{kept}")
    return done.stdout


def _run(arguments: list[str], stdin: bytes, timeout: float) -> subprocess.CompletedProcess[bytes]:
    """As `subprocess.run`, with an eye on the memory."""
    deadline = time.monotonic() + timeout
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile() as source:
        source.write(stdin)
        source.seek(0)
        with subprocess.Popen(arguments, stdin=source, stdout=pipe, stderr=pipe) as process:
            try:
                while True:
                    try:
                        output = process.communicate(timeout=_LOOK_S)
                        return subprocess.CompletedProcess(arguments, process.returncode, *output)
                    except subprocess.TimeoutExpired:
                        note_program(process.pid)
                        if time.monotonic() > deadline:
                            raise
            except BaseException:
                process.kill()
                raise


def last_lines(output: bytes) -> str:
    """The end of what a program printed, as one line for an error message."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines()]
    return " | ".join([line for line in lines if line][-_LAST_LINES:]) or "it printed nothing"


def _keep(output: bytes, log: Path | None) -> str:
    if log is None:
        return ""
    log.write_bytes(output)
    return f" (its output is in {log})"
