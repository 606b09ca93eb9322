"""The shared judge: an analysis network detects and segments the objects of every image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.analysis.analysis_network import (
    AnalysisNetwork,
    Detection,
    TrainingNetwork,
    TrainsCodecs,
)
from benchmark.datasets.dataset import Category
from benchmark.errors import UsageError

if TYPE_CHECKING:
    from benchmark.analysis.mask_rcnn.adapter import MaskRcnnAnalysis

__all__ = ["AnalysisNetwork", "Detection", "open_analysis", "open_training_network"]


def open_analysis(spec: str, *, device: str = "cpu") -> AnalysisNetwork:
    """The analysis network that is asked for.

    Args:
        spec: ``miniscapes``, the embedded one; ``weights:PATH``, a file of your own training;
            ``detectron2:PATH``, a checkpoint of Detectron2's Mask R-CNN R50-FPN, with or
            without options behind it (`Detectron2Analysis.open`);
            ``torchvision`` or ``torchvision:PATH``, torchvision's Mask R-CNN trained on COCO.
        device: where it computes, ``cpu`` or ``cuda``.

    Raises:
        UsageError: if there is no such network, or its weights are missing or unreadable.
    """
    # imported here because torch takes seconds to load, which a wrong name should not
    kind, colon, argument = spec.partition(":")
    if kind == "detectron2" and argument:
        from benchmark.analysis.detectron2.adapter import Detectron2Analysis

        return Detectron2Analysis.open(argument, device)
    if kind == "torchvision" and bool(argument) == bool(colon):
        from benchmark.analysis.torchvision import TorchvisionAnalysis

        return TorchvisionAnalysis.load(Path(argument) if argument else None, device=device)
    network = _open(spec, device)
    if network is None:
        raise UsageError(
            f"there is no analysis network {spec!r}: there are miniscapes and weights:PATH "
            "(a file that `python -m benchmark train analysis` wrote), detectron2:PATH "
            "(a checkpoint of Detectron2's Mask R-CNN R50-FPN), and torchvision or "
            "torchvision:PATH (Mask R-CNN trained on COCO)"
        )
    return network


def open_training_network(spec: str, categories: Sequence[Category]) -> TrainingNetwork:
    """Return a network to train codecs with: its weights are fixed.

    Args:
        spec: as for `open_analysis`.
        categories: of the data set, in the order of the labels in training; none where no labels
            are used.

    Raises:
        UsageError: if there is no such network, it offers no losses and features, or has other
            classes than the data set.
    """
    network = open_analysis(spec)
    if not isinstance(network, TrainsCodecs):
        raise UsageError(
            f"codecs cannot be trained with the analysis network {spec!r}: it offers no losses; "
            "use miniscapes, weights:PATH or detectron2:PATH"
        )
    own, theirs = ([its.name for its in some] for some in (network.categories, categories))
    if categories and own != theirs:
        raise UsageError(
            f"codecs cannot be trained for the task of {spec} on this data set: its classes are "
            f"{', '.join(own)}, the data set's are {', '.join(theirs)}; use --loss feature"
        )
    return network.training_network()


def _open(spec: str, device: str) -> MaskRcnnAnalysis | None:
    kind, _, argument = spec.partition(":")
    if kind == "miniscapes" and not argument:
        from benchmark.analysis.mask_rcnn.embedded import open_miniscapes

        return open_miniscapes(device)
    if kind == "weights" and argument:
        from benchmark.analysis.mask_rcnn.adapter import MaskRcnnAnalysis

        path = Path(argument)
        return MaskRcnnAnalysis.load(path, name=path.stem, device=device)
    return None
