"""Choose the rate points at which codecs have about the same rate."""

from __future__ import annotations

import math
from collections.abc import Iterable

from benchmark.run.record import Record


def comparable(records: Iterable[Record]) -> dict[str, Record]:
    """Return one rate point per codec, so that all rates are about the same.

    Of the rates that occur, the target is the one that all codecs come nearest to, on a
    logarithmic scale.

    Args:
        records: of one image.
    """
    rates: dict[str, dict[float, Record]] = {}
    for record in records:
        rates.setdefault(record.codec, {})[math.log(record.bytes)] = record
    targets = sorted({rate for own in rates.values() for rate in own})
    if not targets:
        return {}

    def worst(target: float) -> float:
        return max(min(abs(rate - target) for rate in own) for own in rates.values())

    aim = min(targets, key=worst)
    return {codec: own[min(own, key=lambda rate: abs(rate - aim))] for codec, own in rates.items()}
