"""The shared judge: an analysis network detects and segments the objects of every image."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.analysis.analysis_network import (
    NETWORKS,
    AnalysisNetwork,
    Detection,
    TrainingNetwork,
    TrainsCodecs,
)
from benchmark.analysis.labels import in_categories
from benchmark.datasets.dataset import Category
from benchmark.errors import UsageError
from benchmark.plugins import guarded

__all__ = [
    "AnalysisNetwork",
    "Detection",
    "TrainingNetwork",
    "TrainsCodecs",
    "open_analysis",
    "open_training_network",
]


def open_analysis(
    spec: str, *, device: str = "cpu", categories: Sequence[Category] | None = None
) -> AnalysisNetwork:
    """Return the analysis network that ``NAME`` or ``NAME:WHERE`` asks for.

    Args:
        spec: for example ``miniscapes`` or ``weights:FILE``.
        device: where it computes, ``cpu`` or ``cuda``.
        categories: of the data set, whose ids the detections shall have; None for the network's.

    Raises:
        UsageError: if there is none of that name, its weights are missing or unreadable, or it has
            no class that the data set has.
    """
    name, where = NETWORKS.split(spec)
    found = NETWORKS.load(name)
    network = guarded(
        f"the analysis network {spec} cannot be opened", lambda: found.open(where, device)
    )
    return network if categories is None else in_categories(network, categories)


def open_training_network(spec: str, categories: Sequence[Category]) -> TrainingNetwork:
    """Return a network to train codecs with: its weights are fixed.

    Args:
        spec: ``NAME`` or ``NAME:WHERE``.
        categories: of the data set, in the order of the labels in training; none where no labels
            are used.

    Raises:
        UsageError: if there is none of that name, it offers no losses and features, or has other
            classes than the data set.
    """
    if not isinstance(NETWORKS.load(NETWORKS.split(spec)[0]), TrainsCodecs):
        raise UsageError(
            f"codecs cannot be trained with the analysis network {spec!r}: it offers no losses "
            f"and features; use {trains_codecs()}"
        )
    network = open_analysis(spec)
    assert isinstance(network, TrainsCodecs)
    own, theirs = ([its.name for its in some] for some in (network.categories, categories))
    if categories and own != theirs:
        raise UsageError(
            f"codecs cannot be trained for the task of {spec} on this data set: its classes are "
            f"{', '.join(own)}, the data set's are {', '.join(theirs)}; use --loss feature"
        )
    return network.training_network()


def trains_codecs() -> str:
    """Return the forms of the networks that codecs can be trained with, for help."""
    found = NETWORKS.found()
    names = [name for name in found if "training_network" in found[name].methods]
    return ", ".join(found[name].form for name in names)
