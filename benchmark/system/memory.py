"""How much memory this process and the programs that it runs take."""

from __future__ import annotations

import contextlib
import sys

import psutil

_peak_of_programs = 0


def resident_memory() -> int:
    """Return the bytes of memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def note_program(number: int) -> None:
    """Look at the memory of a running program, by its process number, with all below it.

    The operating system's own count of the memory of ended programs does not help: it takes a
    program to be as large at its start as the process that starts it has ever been.
    """
    global _peak_of_programs
    total = resident_memory()
    with contextlib.suppress(psutil.Error):
        program = psutil.Process(number)
        for process in (program, *program.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    _peak_of_programs = max(_peak_of_programs, total)


def peak_memory() -> int:
    """Return the most bytes that this process has held so far, with the programs that it ran."""
    return max(_own_peak(), _peak_of_programs)


def _own_peak() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return int(psutil.Process().memory_info().peak_wset)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
