"""A benchmark of image codecs for machines: bits per pixel against Mask R-CNN's accuracy.

In Python::

    import benchmark

    run = benchmark.run(codecs=["jpeg", "webp"], limit=4, out="results/run")
    run.summary
    run.deltas(anchor="jpeg")

``benchmark.run``, ``benchmark.report`` and ``benchmark.codecs`` are packages too: each can be
called (`benchmark.system.callable_package`). Nothing slow is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.api import open_run, plan, report, run
    from benchmark.codec import list_codecs as codecs

__all__ = ["codecs", "open_run", "plan", "report", "run"]

_PACKAGES = ("codecs", "report", "run")
_FUNCTIONS = ("open_run", "plan")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"benchmark.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module("benchmark.api"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("benchmark")
    raise AttributeError(f"module 'benchmark' has no attribute {name!r}")
