"""The embedded analysis network: weights trained on Miniscapes, part of this package."""

from __future__ import annotations

from pathlib import Path

from benchmark.analysis.mask_rcnn.adapter import MaskRcnnAnalysis
from benchmark.errors import UsageError

WEIGHTS = Path(__file__).parent / "weights" / "miniscapes.safetensors"


class MiniscapesAnalysis(MaskRcnnAnalysis):
    """The Mask R-CNN that this package carries, trained on Miniscapes."""

    name = "miniscapes"
    where = ""

    @classmethod
    def open(cls, where: str, device: str) -> MaskRcnnAnalysis:
        return open_miniscapes(device)


def open_miniscapes(device: str = "cpu") -> MaskRcnnAnalysis:
    """The network with its embedded weights, on a device.

    Raises:
        UsageError: if this installation has no weights.
    """
    if not WEIGHTS.is_file():
        raise UsageError(
            f"{WEIGHTS} is missing: install the package again, or train a network of your own "
            "(`python -m benchmark train analysis`) and ask for `weights:PATH`"
        )
    return MaskRcnnAnalysis.load(WEIGHTS, name=MiniscapesAnalysis.name, device=device)
