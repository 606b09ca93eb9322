"""Stop work that takes longer than it may."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_GRACE_S = 10.0
"""After the limit; then the process is ended, since the work does not come back to Python."""


class TimeLimitExceeded(BaseException):
    """Work was stopped at its time limit. No ``except Exception`` holds it up."""


@contextmanager
def time_limit(seconds: float | None, *, end_process: bool = False) -> Iterator[None]:
    """Raise `TimeLimitExceeded` in the work of the ``with`` block after some seconds of the clock.

    In the main thread even waiting and sleeping is interrupted; in another thread, Python code is.

    Args:
        seconds: above 0; None for no limit.
        end_process: kill this process with all programs that it started (its process group) if
            the work goes on for 10 seconds more, as a loop in C may.
    """
    if seconds is None:
        yield
        return
    ended, at_the_end = threading.Event(), threading.Lock()
    thread = threading.get_ident()
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, _raise) if in_main else None

    def watch() -> None:
        if ended.wait(seconds):
            return
        with at_the_end:  # either the work ends in time, or it is stopped
            if ended.is_set():
                return
            if in_main:
                signal.pthread_kill(thread, signal.SIGALRM)
            else:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread), ctypes.py_object(TimeLimitExceeded)
                )
        if end_process and not ended.wait(_GRACE_S):
            os.killpg(0, signal.SIGKILL)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except TimeLimitExceeded:
        raise TimeLimitExceeded(f"stopped at its time limit of {seconds:g} s") from None
    finally:
        with at_the_end:
            ended.set()
        if in_main:
            signal.signal(signal.SIGALRM, before)


def _raise(number: int, frame: FrameType | None) -> None:
    raise TimeLimitExceeded
