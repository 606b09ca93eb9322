"""Entropy coding of one image: z-hat, then y-hat, in one stream of CompressAI's rANS coder.

Each element has a Laplace distribution. Its mean is rounded to 1/64, or to 1/8 where the scale is
large, and its scale is one of a few, so there is a limited number of tables of cumulative
frequencies. They come from integers and from Decimal's exp, which is correctly rounded, and so are
the same on every machine.

The stream ends in a checksum of what was coded. It is free: rANS starts from a state of 31 known
bits, which are wasted otherwise, and 16 of them hold the checksum. It notices damaged files, and
just as much an encoder and a decoder that disagree about a distribution.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import NamedTuple

import numpy as np
import torch
from compressai.ans import BufferedRansEncoder, RansDecoder
from numpy.typing import NDArray
from torch import Tensor

from .bitstream import BitstreamError
from .fixed_point import (
    HYPER_LATENT_LIMIT,
    ExactDistribution,
    ExactHyperDecoder,
    ExactHyperLatentModel,
    HyperLatentScan,
)
from .network import NCN
from .scale_table import FRACTION_BITS, SCALES

LATENT_LIMIT = 2**15
"""Largest magnitude of an element of y-hat."""

MEAN_STEPS = 64
"""Steps to one of the means of `laplace_table`; with 16, trained networks need 0.5 % more bits."""

_TOTAL = 2**16  # CompressAI's precision
_UNIT = 2**64
_HALF = 1 << FRACTION_BITS >> 1
_MEAN_SHIFT = FRACTION_BITS - 6
_COARSE_SHIFT = FRACTION_BITS - 3  # of scales from 2: finer means save nothing, tables are large
_COARSE_FROM = 40
_DECIMAL = Context(prec=40)

_DAMAGED = "the NCN bitstream is damaged, truncated, or was made with other weights"


class LatentCoder:
    """Codes y-hat and z-hat of one image with the distributions that an `NCN` expects."""

    def __init__(self, network: NCN) -> None:
        """Rounds the weights that coding depends on, once.

        Raises:
            UsageError: if they are not finite or too large.
        """
        self._channels = network.channels
        self._hyper_decoder = ExactHyperDecoder(network.hyper_decoder)
        self._hyper_latent_model = ExactHyperLatentModel(network.hyper_latent_model)

    def latent_distribution(self, hyper_latent: Tensor) -> ExactDistribution:
        """The distributions of y-hat (C x 4h x 4w), from z-hat (C/2 x h x w).

        z-hat is clamped to `HYPER_LATENT_LIMIT`.

        Raises:
            ValueError: if z-hat is not made of integers.
        """
        expected = self._hyper_decoder(_clamped(hyper_latent, HYPER_LATENT_LIMIT)[None])
        return ExactDistribution(expected.mean[0], expected.scale_index[0])

    def encode(
        self,
        latent: Tensor,
        hyper_latent: Tensor,
        distribution: ExactDistribution,
        header: bytes = b"",
    ) -> bytes:
        """The payload of an image.

        Args:
            latent: y-hat, C x 4h x 4w, integers; clamped to `LATENT_LIMIT`.
            hyper_latent: z-hat, C/2 x h x w, integers; clamped to `HYPER_LATENT_LIMIT`.
            distribution: what `latent_distribution` makes of z-hat.
            header: bytes stored elsewhere that the checksum covers as well.

        Raises:
            ValueError: if y-hat or z-hat is not made of integers.
        """
        hyper_latent = _clamped(hyper_latent, HYPER_LATENT_LIMIT)
        expected = self._hyper_latent_model(hyper_latent[None])
        by_position = ExactDistribution(
            expected.mean[0].permute(1, 2, 0), expected.scale_index[0].permute(1, 2, 0)
        )
        hyper_values = _flat(hyper_latent.permute(1, 2, 0))
        values = _flat(_clamped(latent, LATENT_LIMIT))
        encoder = BufferedRansEncoder()
        for coded, tables in ((hyper_values, by_position), (values, distribution)):
            indexing = _indexing(tables)
            encoder.encode_with_indexes(
                (coded - indexing.integers).tolist(), *indexing.arguments(slice(None))
            )
        # the last symbol is coded first: it brings the state to 2^47 and the checksum then causes
        # a word of zeros, which is dropped, and a state of 2^31 plus the checksum
        checksum = [_checksum(header, hyper_values, values), 0]
        encoder.encode_with_indexes(checksum, [0, 0], *_uniform())
        stream = encoder.flush()
        state = int.from_bytes(stream[:8], "little")
        # at least 5 bytes, so that the length modulo 4 says how many
        return stream[8:-4] + state.to_bytes(max(5, -(-state.bit_length() // 8)), "little")

    def decode(self, payload: bytes, size: tuple[int, int], header: bytes = b"") -> Tensor:
        """y-hat, float32, C x 4h x 4w.

        Args:
            payload: what `encode` made, or any other bytes.
            size: h and w of z-hat.
            header: the bytes that were given to `encode`.

        Raises:
            BitstreamError: if the payload was not made for this network, size and header.
        """
        height, width = size
        channels = self._channels
        elements = height * width * (channels // 2 + 16 * channels)
        decoder = _Decoder(payload, elements)
        scan = HyperLatentScan(self._hyper_latent_model, height, width)
        for _ in range(height * width):
            scan.put(torch.from_numpy(decoder.values(scan.distribution(), HYPER_LATENT_LIMIT)))
        hyper_values = _flat(scan.hyper_latent.permute(1, 2, 0))
        values = decoder.values(self.latent_distribution(scan.hyper_latent), LATENT_LIMIT)
        decoder.finish(_checksum(header, hyper_values, values))
        return torch.from_numpy(values).float().reshape(channels, 4 * height, 4 * width)


class Table(NamedTuple):
    """Cumulative frequencies in CompressAI's form.

    Attributes:
        cumulative: from 0 to 2^16, strictly rising; the last interval is that of the escape, after
            which CompressAI codes any integer.
        first: the symbol of the first interval.
    """

    cumulative: list[int]
    first: int


@functools.cache
def laplace_table(scale_index: int, step: int) -> Table:
    """The table of a Laplace distribution, integrated over [symbol - 1/2, symbol + 1/2].

    Symbols of 2^-16 of the mass or more have an interval.

    Args:
        scale_index: which of `SCALES`.
        step: the mean, in units of 1/`MEAN_STEPS`, from -1/2 to 1/2.
    """
    with localcontext(_DECIMAL):
        scale = SCALES[scale_index]
        decay = int((-1 / scale).exp() * _UNIT)
        to_edge = Decimal(step) / MEAN_STEPS
        above = _tails((-(Decimal("0.5") - to_edge) / scale).exp(), decay)
        below = _tails((-(Decimal("0.5") + to_edge) / scale).exp(), decay)
    edges = below[::-1] + [_UNIT - tail for tail in above]
    # rounding keeps intervals of one or more apart; one more is kept for the escape
    cumulative = [((edge - edges[0]) * (_TOTAL - 1) + _UNIT // 2) // _UNIT for edge in edges]
    return Table([*cumulative, _TOTAL], 1 - len(below))


def _tails(twice: Decimal, decay: int) -> list[int]:
    """The mass beyond 1/2, beyond 3/2, ...: until what lies between two is below 2^-16."""
    tail = int(twice * _UNIT / 2)
    tails = [tail]
    while (tail - (tail := tail * decay // _UNIT)) * (_TOTAL - 1) >= _UNIT:
        tails.append(tail)
    return tails


@functools.cache
def _uniform() -> tuple[list[list[int]], list[int], list[int]]:
    """A table of 2^16 equal intervals, the last of which is the escape."""
    return [list(range(_TOTAL + 1))], [_TOTAL + 1], [0]


@dataclass(frozen=True)
class _Indexing:
    """The tables that a number of elements need, and which element needs which.

    ``integers`` are the integers nearest to the means; symbols are relative to them.
    """

    integers: NDArray[np.int64]
    indexes: NDArray[np.int64]
    cumulative: list[list[int]]
    sizes: NDArray[np.int64]
    first: NDArray[np.int64]

    def arguments(self, part: slice) -> tuple[list[int], list[list[int]], list[int], list[int]]:
        """What CompressAI wants to know about a part of the elements."""
        return (
            self.indexes[part].tolist(),
            self.cumulative,
            self.sizes.tolist(),
            self.first.tolist(),
        )

    def escapes(self, symbols: NDArray[np.int64], part: slice) -> int:
        """How many symbols of a part have no interval in their table."""
        places = symbols - self.first[self.indexes[part]]
        return np.count_nonzero((places < 0) | (places >= self.sizes[self.indexes[part]] - 2))


def _indexing(distribution: ExactDistribution) -> _Indexing:
    scale_index = _flat(distribution.scale_index)
    shift = np.where(scale_index < _COARSE_FROM, _MEAN_SHIFT, _COARSE_SHIFT)
    mean = (_flat(distribution.mean) + (1 << shift >> 1)) >> shift << shift
    integers = (mean + _HALF) >> FRACTION_BITS
    # both in units of 1/64: the mean's distance from its integer, which is at least -1/2
    above_least = (mean - (integers << FRACTION_BITS) + _HALF) >> _MEAN_SHIFT
    rows = scale_index * MEAN_STEPS + above_least
    used = np.flatnonzero(np.bincount(rows))
    index = np.zeros(len(SCALES) * MEAN_STEPS, np.int64)
    index[used] = np.arange(len(used))
    tables = [
        laplace_table(row // MEAN_STEPS, row % MEAN_STEPS - MEAN_STEPS // 2)
        for row in used.tolist()
    ]
    return _Indexing(
        integers,
        index[rows],
        [table.cumulative for table in tables],
        np.array([len(table.cumulative) for table in tables]),
        np.array([table.first for table in tables]),
    )


class _Decoder:
    """CompressAI's decoder of a stream that may have been made to harm.

    It never checks the end of its buffer, so the payload is followed by as many zeros as it can
    read. With zeros only, an escape finds at most 8 lengths of 15 and then reads 120 digits of 4
    bits, 67 bytes in all, and what it decodes is no symbol of the table, so it can be counted. An
    escape that begins within the payload reads at most 16 times as much as the payload has; any
    other symbol two bytes. No payload of the encoder has more escapes than bytes.
    """

    _AT_ONCE = 2**16
    _ESCAPE_BYTES = 68

    def __init__(self, payload: bytes, elements: int) -> None:
        state_bytes = (len(payload) - 1) % 4 + 5
        state = int.from_bytes(payload[-state_bytes:], "little")
        if len(payload) < state_bytes or not 2**31 <= state < 2**63:
            raise BitstreamError(_DAMAGED)
        self._escapes_left = len(payload)
        most_escapes = len(payload) + min(self._AT_ONCE, elements)
        most_read = 16 * len(payload) + self._ESCAPE_BYTES * most_escapes + 2 * elements + 1024
        self._decoder = RansDecoder()
        self._decoder.set_stream(
            state.to_bytes(8, "little") + payload[:-state_bytes] + bytes(most_read)
        )

    def values(self, distribution: ExactDistribution, limit: int) -> NDArray[np.int64]:
        """The next elements, which have these distributions and such a largest magnitude."""
        indexing = _indexing(distribution)
        values = np.empty_like(indexing.integers)
        for start in range(0, len(values), self._AT_ONCE):
            part = slice(start, start + self._AT_ONCE)
            symbols = np.array(self._decoder.decode_stream(*indexing.arguments(part)), np.int64)
            values[part] = symbols + indexing.integers[part]
            self._escapes_left -= indexing.escapes(symbols, part)
            if self._escapes_left < 0 or np.abs(values[part]).max() > limit:
                raise BitstreamError(_DAMAGED)
        return values

    def finish(self, checksum: int) -> None:
        """Compares the checksum; the stream must end behind it."""
        if self._decoder.decode_stream([0, 0, 0], *_uniform()) != [checksum, 0, 0]:
            raise BitstreamError(_DAMAGED)


def _checksum(header: bytes, *values: NDArray[np.int64]) -> int:
    """Below 2^16 - 1, which `_uniform` has no interval for."""
    checksum = zlib.crc32(header)
    for part in values:
        checksum = zlib.crc32(part.astype("<i4").tobytes(), checksum)
    return checksum % (_TOTAL - 1)


def _clamped(values: Tensor, limit: int) -> Tensor:
    if not bool((values == values.round()).all()):
        raise ValueError("a latent to be coded is not made of integers")
    return values.double().clamp(-limit, limit)


def _flat(values: Tensor) -> NDArray[np.int64]:
    return values.long().cpu().numpy().ravel()
