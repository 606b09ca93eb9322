"""How much memory there is, and how much this process and the programs that it runs take."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import psutil

_CONTAINER = Path("/sys/fs/cgroup")
_peak_of_programs = 0


def free_memory() -> float:
    """Return which share of the machine's memory, or of the container's, is free: 0 to 1."""
    memory = psutil.virtual_memory()
    free = memory.available / memory.total
    # Linux, control groups 2: only a container sees a limit at this place
    with contextlib.suppress(OSError, ValueError):
        limit = int((_CONTAINER / "memory.max").read_text())
        statistics = dict(map(str.split, (_CONTAINER / "memory.stat").read_text().splitlines()))
        taken = int((_CONTAINER / "memory.current").read_text())
        free = min(free, 1 - (taken - int(statistics.get("inactive_file", 0))) / limit)
    return free


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
