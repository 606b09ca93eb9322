"""The container of one coded image: which weights, which size, then the entropy coder's payload.

The first byte says what the file is, in which version, and in which form the size follows. Then
come two bytes that tell weights and size, and the size itself in one, two or four bytes. There is
no checksum of its own: the payload ends in one that covers the header too (see `entropy_coding`),
at no cost. The smallest files have 400 bytes, so each byte here is a quarter of a percent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from benchmark.errors import UsageError

LARGEST_SIDE = 16384
MOST_PIXELS = 2**25

_FIRST_BYTE = 0x9C  # with the form added; starts no text, nor any other format of pictures
_FORMS = ((64, 4), (64, 8), (2, 16))  # both sides are multiples of the first, in so many bits each
_FINGERPRINT_BYTES = 2
_LEAST_PAYLOAD_BYTES = 5


class BitstreamError(UsageError):
    """A file cannot be decoded: it is foreign, truncated, damaged, or made with other weights."""


@dataclass(frozen=True)
class Header:
    """What comes before the payload; ``bytes(header)`` is how.

    Attributes:
        fingerprint: two bytes of the weights and the size (`fingerprint`).
        height: of the image, in pixels; even.
        width: likewise.
    """

    fingerprint: bytes
    height: int
    width: int

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            BitstreamError: if a side is odd, not positive or more than `LARGEST_SIDE`, or the image
                has more than `MOST_PIXELS`.
            ValueError: if the fingerprint does not have two bytes.
        """
        if len(self.fingerprint) != _FINGERPRINT_BYTES:
            raise ValueError(f"a fingerprint of {len(self.fingerprint)} bytes instead of 2")
        sides = self.height, self.width
        possible = all(side % 2 == 0 and 2 <= side <= LARGEST_SIDE for side in sides)
        if not possible or self.height * self.width > MOST_PIXELS:
            raise BitstreamError(
                f"an NCN bitstream cannot hold an image of {self.width} x {self.height}: sides are "
                f"even and up to {LARGEST_SIDE}, and there are at most {MOST_PIXELS} pixels"
            )

    def __bytes__(self) -> bytes:
        form = next(form for form in range(len(_FORMS)) if self._fits(*_FORMS[form]))
        unit, bits = _FORMS[form]
        size = (self.height // unit - 1) << bits | (self.width // unit - 1)
        start = bytes([_FIRST_BYTE + form]) + self.fingerprint
        return start + size.to_bytes(bits // 4, "big")

    def _fits(self, unit: int, bits: int) -> bool:
        sides = self.height, self.width
        return all(side % unit == 0 and side // unit <= 2**bits for side in sides)


def fingerprint(weights: str, height: int, width: int) -> bytes:
    """Two bytes that say which weights decode an image of which size.

    With the size in it, a damaged size shows before an image of that size is decoded.

    Args:
        weights: identifies the weights, for example their hash.
        height: of the image.
        width: likewise.
    """
    text = f"{weights} {height} {width}"
    return hashlib.sha256(text.encode()).digest()[:_FINGERPRINT_BYTES]


def pack(header: Header, payload: bytes) -> bytes:
    """The bitstream of an image; `unpack` undoes it."""
    return bytes(header) + payload


def unpack(bitstream: bytes) -> tuple[Header, bytes]:
    """The header and the payload of a bitstream.

    Damage to the payload, or a header changed to another one that is possible, shows when the
    payload is decoded.

    Raises:
        BitstreamError: if it is no NCN bitstream, is truncated, or has an impossible size.
    """
    form = bitstream[0] - _FIRST_BYTE if bitstream else -1
    if form not in range(len(_FORMS)):
        raise BitstreamError("this is no bitstream of the NCN codec, or one of another version")
    unit, bits = _FORMS[form]
    size_at = 1 + _FINGERPRINT_BYTES
    payload_at = size_at + bits // 4
    if len(bitstream) < payload_at + _LEAST_PAYLOAD_BYTES:
        raise BitstreamError(f"the NCN bitstream is truncated: it has {len(bitstream)} bytes")
    size = int.from_bytes(bitstream[size_at:payload_at], "big")
    rows, columns = divmod(size, 2**bits)
    header = Header(bitstream[1:size_at], (rows + 1) * unit, (columns + 1) * unit)
    if bytes(header) != bitstream[:payload_at]:
        raise BitstreamError("the NCN bitstream is damaged: its size has a shorter form")
    return header, bitstream[payload_at:]
