"""The shared judge: an analysis network detects and segments the objects of every image."""

from __future__ import annotations

from pathlib import Path

from benchmark.analysis.network import AnalysisNetwork, Detection
from benchmark.errors import UsageError

__all__ = ["AnalysisNetwork", "Detection", "open_analysis"]


def open_analysis(spec: str) -> AnalysisNetwork:
    """The analysis network that is asked for.

    Args:
        spec: ``miniscapes``, the embedded one, or ``weights:PATH``, a file of your own training.

    Raises:
        UsageError: if there is no such network, or its weights are missing or unreadable.
    """
    # imported here because torch takes seconds to load, which a wrong name should not
    kind, _, argument = spec.partition(":")
    if kind == "miniscapes" and not argument:
        from benchmark.analysis.miniscapes import open_miniscapes

        return open_miniscapes()
    if kind == "weights" and argument:
        from benchmark.analysis.judge import MaskRcnnAnalysis

        path = Path(argument)
        return MaskRcnnAnalysis.load(path, name=path.stem)
    raise UsageError(
        f"there is no analysis network {spec!r}: there are miniscapes and weights:PATH "
        "(a file that `python -m benchmark train analysis` wrote)"
    )
