"""What a codec is, and how codecs are found."""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UsageError
from benchmark.plugins import find_plugins

Image = NDArray[np.uint8]
"""An image: uint8 of shape H x W x 3, RGB, values 0 to 255."""


class CodecUnavailable(Exception):
    """A codec cannot run here; the message says why and what to do."""


@dataclass(frozen=True)
class RatePoint:
    """One setting of a codec's rate control.

    Attributes:
        parameter: what is set, for example ``qp``.
        value: what it is set to, for example 32.
    """

    parameter: str
    value: float

    @property
    def name(self) -> str:
        """Safe as a folder name, for example ``qp32`` or ``lambda0.02``."""
        return f"{self.parameter}{self.value:g}"


def rate_points(parameter: str, *values: float) -> tuple[RatePoint, ...]:
    """The rate points at which ``parameter`` takes each of ``values``, in their order."""
    return tuple(RatePoint(parameter, value) for value in values)


class Codec(ABC):
    """An image codec: what an adapter in ``codecs/`` implements.

    Constructing a codec finds its programs, weights and libraries; what is missing raises
    `CodecUnavailable`. The constructor's keyword arguments are the codec's options: strings,
    given on the command line as ``--option NAME.KEY=VALUE``. Encoding and decoding happen in
    different objects, often in different processes: a bitstream holds all that decoding needs.
    """

    name: ClassVar[str]
    """What the command line, the run folder and the figures call the codec."""

    rate_points: tuple[RatePoint, ...]
    """The rate points of a run that asks for no others."""

    value_range: tuple[float, float] | None = None
    """Smallest and largest value of the rate parameter that may be asked for with ``--rates``;
    None admits `rate_points` only."""

    def prepare(self, rate_point: RatePoint) -> None:  # noqa: B027  # most codecs need nothing
        """Loads what coding at a rate point needs, so that its time does not count as coding's."""

    @abstractmethod
    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        """The bitstream of an image whose sides are even; its length is the rate."""

    @abstractmethod
    def decode(self, bitstream: bytes) -> Image:
        """The decoded image, of the size that was encoded."""

    def identity(self) -> dict[str, str]:
        """All that changes the bits: versions or hashes of programs and weights, options.

        Results of an earlier run are used again only where the identity is the same. By default
        it is the hash of the adapter's source: every edit of the file asks for new results.
        """
        source = inspect.getsource(inspect.getmodule(self))  # type: ignore[arg-type]
        return {"source": hashlib.sha256(source.encode()).hexdigest()}

    def rate_point(self, name: str) -> RatePoint:
        """The rate point called ``name``.

        Raises:
            UsageError: if the codec has none of that name.
        """
        for point in self.rate_points:
            if point.name == name:
                return point
        parameter = self.rate_points[0].parameter
        known = ", ".join(point.name for point in self.rate_points)
        if self.value_range is not None:
            low, high = self.value_range
            known += f", or any {parameter}{low:g} to {parameter}{high:g}"
            with contextlib.suppress(ValueError):
                point = RatePoint(parameter, float(name.removeprefix(parameter)))
                if point.name == name and low <= point.value <= high:
                    return point
        raise UsageError(f"codec {self.name} has no rate point {name!r}: it has {known}")


class TrainableCodec(Codec):
    """A codec whose weights ``python -m benchmark train NAME`` trains."""

    @classmethod
    @abstractmethod
    def add_training_options(cls, parser: argparse.ArgumentParser) -> None:
        """Adds the options of the training to its command."""

    @classmethod
    @abstractmethod
    def train(cls, options: argparse.Namespace) -> Path:
        """Trains as the options say; the path of the weights."""


@functools.cache
def find_codecs() -> Mapping[str, type[Codec] | CodecUnavailable]:
    """All codecs by name; for an adapter that cannot even be imported, the reason.

    They are the concrete `Codec` classes that the modules of ``benchmark.codecs`` define (a new
    file there is a new codec), and those behind the entry points of the group
    ``benchmark.codecs`` of other installed packages.
    """
    codecs: dict[str, type[Codec] | CodecUnavailable] = {}
    for name, found in find_plugins("benchmark.codecs", Codec):
        if name in codecs:
            codecs[name] = CodecUnavailable(f"two adapters call themselves {name!r}: rename one")
        elif isinstance(found, Exception):
            codecs[name] = CodecUnavailable(f"its adapter cannot be imported: {found}")
        else:
            codecs[name] = found
    return codecs


def open_codec(name: str, options: Mapping[str, str] | None = None) -> Codec:
    """The codec called ``name``, ready to run.

    Raises:
        UsageError: if there is no such codec, or it does not have one of the options.
        CodecUnavailable: if it cannot run here.
    """
    codecs = find_codecs()
    if name not in codecs:
        raise UsageError(f"there is no codec {name!r}: the codecs are {', '.join(sorted(codecs))}")
    found = codecs[name]
    if isinstance(found, CodecUnavailable):
        raise found
    options = options or {}
    known = list(inspect.signature(found).parameters)
    for option in options:
        if not takes_option(name, option):
            has = f"its options are {', '.join(known)}" if known else "it has none"
            raise UsageError(f"codec {name} has no option {option!r}: {has}")
    return found(**options)


def takes_option(name: str, option: str) -> bool:
    """Whether the codec called ``name`` has an option of that name."""
    found = find_codecs().get(name)
    return isinstance(found, type) and option in inspect.signature(found).parameters


def with_even_sides(image: Image) -> Image:
    """Return an image as codecs get it: an odd last row or column once more, as 4:2:0 needs.

    The decoded image is cut to the image's own size again; rates are over its own pixels.
    """
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
