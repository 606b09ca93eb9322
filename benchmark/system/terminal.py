"""Show on the standard error what goes on: the package's log, and a bar of progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


def show_log() -> None:
    """Print what the package says on the standard error, a line each, above any bar."""
    import logging

    from tqdm import tqdm

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tqdm.write(self.format(record), file=sys.stderr)

    log = logging.getLogger("benchmark")
    log.handlers, log.propagate = [Lines()], False
    log.setLevel(logging.INFO)


@contextlib.contextmanager
def progress() -> Iterator[Callable[[int, int], None]]:
    """Show a bar, and give a function that is told how many jobs are done, and of how many."""
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else 30
    with tqdm(unit="job", mininterval=interval, smoothing=0, disable=None) as bar:

        def show(done: int, jobs: int) -> None:
            if bar.total != jobs:
                bar.reset(jobs)
                bar.initial = done
            bar.update(done - bar.n)

        yield show
