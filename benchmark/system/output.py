"""Keep the standard output for the command's own results."""

from __future__ import annotations

import contextlib
import ctypes
import os
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
