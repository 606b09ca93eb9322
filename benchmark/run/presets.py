"""Experiments that have a name: which codecs, at which rate points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """What ``--preset`` stands for, where the command line says nothing else.

    Attributes:
        codecs: their names.
        rates: rate points, ``CODEC:POINT``; a codec without one has its own.
        ap: whose average precision is computed.
    """

    codecs: tuple[str, ...]
    rates: tuple[str, ...]
    ap: str


PRESETS: Mapping[str, Preset] = {
    "paper": Preset(
        codecs=("vtm", "ncn", "ncn-lsm", "ncn-lsm-ft"),
        rates=tuple(f"vtm:qp{qp}" for qp in (22, 27, 32, 37, 42, 47)),
        ap="cityscapes",
    )
}
"""``paper``: the poster's comparison. The weights of ncn-lsm were not published and have to be
trained. The poster does not state VTM's quantisation parameters; these are those of the common test
conditions and two more."""
