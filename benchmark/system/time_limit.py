"""Stop work that takes longer than it may."""

from __future__ import annotations

import ctypes
import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
        end_process: end this process if the work goes on for 10 seconds more, as a loop in C may.
    """
    if seconds is None:
        yield
        return
    in_main = threading.current_thread() is threading.main_thread()
    if end_process:  # a watchdog in C, which a loop in C does not hold up
        with Path("/dev/null").open("wb") as nowhere:
            faulthandler.dump_traceback_later(seconds + _GRACE_S, exit=True, file=nowhere)
            try:
                with (_alarm if in_main else _raised_in_thread)(seconds):
                    yield
            finally:
                faulthandler.cancel_dump_traceback_later()
        return
    with (_alarm if in_main else _raised_in_thread)(seconds):
        yield


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """The limit of the main thread: a timer of the operating system."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeLimitExceeded(_message(seconds))

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _raised_in_thread(seconds: float) -> Iterator[None]:
    """The limit of another thread: an exception that is raised between its instructions."""
    ended, at_the_end = threading.Event(), threading.Lock()
    thread = ctypes.c_ulong(threading.get_ident())

    def watch() -> None:
        if ended.wait(seconds):
            return
        with at_the_end:  # either the work ends in time, or it is stopped
            if not ended.is_set():
                stop = ctypes.py_object(TimeLimitExceeded)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, stop)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except TimeLimitExceeded:
        raise TimeLimitExceeded(_message(seconds)) from None
    finally:
        with at_the_end:
            ended.set()


def _message(seconds: float) -> str:
    return f"stopped at its time limit of {seconds:g} s"
