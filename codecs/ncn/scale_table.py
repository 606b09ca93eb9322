"""The scales that y's elements are coded with, and the raw outputs that stand for each.

Scales are not computed from a raw output: it is compared with thresholds, which are the same
everywhere.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

FRACTION_BITS = 12
"""Means and activations are integers in units of 2^-12."""

_SCALES_PER_OCTAVE = 5
_DECIMAL = Context(prec=50)


def _scale(position: Decimal) -> Decimal:
    """The scale at a position of the table, between two entries where it is no integer."""
    with localcontext(_DECIMAL):
        return (Decimal(2).ln() * (position / _SCALES_PER_OCTAVE - 7)).exp()


SCALES: tuple[Decimal, ...] = tuple(_scale(Decimal(n)) for n in range(15 * _SCALES_PER_OCTAVE + 1))
"""The scales that an index stands for: 1/128 to 256, each 15 % above the one before."""


def _threshold(number: int) -> int:
    """Below it a raw output means a scale nearer to the next entry; in units of 2^-12.

    It is where log(1 + exp(-raw)) is the geometric mean of two entries. Decimal's exp and ln are
    correctly rounded, those of floating point are not the same everywhere.
    """
    with localcontext(_DECIMAL):
        raw = -(_scale(number + Decimal("0.5")).exp() - 1).ln()
        return int((raw * 2**FRACTION_BITS).to_integral_value())


THRESHOLDS: tuple[int, ...] = tuple(sorted(_threshold(n) for n in range(len(SCALES) - 1)))
"""Raw outputs, in units of 2^-12, at which the index changes: rising, while scales fall."""
