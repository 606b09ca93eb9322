"""Keep the standard output for the command's own results."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import select
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def plugins_aside() -> Iterator[None]:
    """Send all that is printed in the ``with`` block to the standard error.

    That holds for Python's ``print``, for code in C, and for the processes that are started in the
    block, for as long as they run. So what a codec prints cannot get into a table that is piped.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # what C has not yet written
        os.dup2(kept, 1)
        os.close(kept)


def take_any_terminal() -> None:
    """Let nothing fail because of what a terminal cannot show, or because there is none."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:  # closed by the shell's >&-
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def reader_is_gone() -> bool:
    """Return whether the standard output is a pipe that nobody reads any more, as of ``| head``."""
    poll = select.poll()
    poll.register(1, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def drop_unwritten() -> None:
    """Write what the standard output still holds; let it go where that cannot be."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
