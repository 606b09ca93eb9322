"""What a codec is, and how codecs are found."""

from __future__ import annotations

import argparse
import contextlib
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmark.complexity import Complexity
from benchmark.errors import CodecUnavailable, PluginError, UsageError
from benchmark.image import Image
from benchmark.plugins import Kind, guarded
from benchmark.rate_point import TARGET, RatePoint, Settings, wrong_rate_points
from benchmark.rate_point import rate_points as rate_points
from benchmark.system.source import source_hash

Latent = NDArray[np.float32]
"""A value for each element of a latent, C x h x w."""


class Codec(ABC):
    """An image codec: what an adapter in ``codecs/`` implements.

    Constructing a codec finds its programs, weights and libraries; what is missing raises
    `CodecUnavailable`. The constructor's keyword arguments are the codec's options: strings,
    given on the command line as ``--option NAME.KEY=VALUE``; each has a default. Encoding and
    decoding happen in different objects: the one that decodes has seen no original image, and a
    bitstream holds all that decoding needs. ``python -m benchmark check NAME`` puts a codec
    through all that is asked for here.
    """

    name: ClassVar[str]
    """What the command line, the run folder and the figures call the codec."""

    rate_points: tuple[RatePoint, ...]
    """The rate points of a run that asks for no others, by rising rate where there is a
    `value_range`."""

    options: Mapping[str, str] = MappingProxyType({})
    """The values of all options of the constructor, also of those that were not given."""

    value_range: tuple[float, float] | None = None
    """Smallest and largest value of the rate parameter that may be asked for with ``--rates``, and
    in which a rate is searched for; None admits `rate_points` only."""

    whole_numbers: bool = False
    """Whether the encoder would round a fraction: rate points between its steps are refused, as
    two of them would be one bitstream under two names."""

    def prepare(self, rate_point: RatePoint) -> None:  # noqa: B027  # most codecs need nothing
        """Loads what coding at a rate point needs, so that its time does not count as coding's."""

    @abstractmethod
    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        """Return the bitstream of an image (uint8, H x W x 3, RGB, even sides).

        Its length is the rate. The same image gives the same bytes again.

        Raises:
            ValueError, ProgramError: if the codec cannot code an image of this size (with the size
                in the message), or coding failed.
        """

    @abstractmethod
    def decode(self, bitstream: bytes) -> Image:
        """Return the decoded image (uint8, H x W x 3, RGB), of the size that was encoded.

        Raises:
            ValueError, OSError, ProgramError: if the bitstream is damaged and that can be told.
        """

    def __init_subclass__(cls) -> None:
        """Let the constructor note the values of its options."""
        super().__init_subclass__()
        if "__init__" in vars(cls):
            cls.__init__ = _noting_options(cls.__init__)  # type: ignore[method-assign]

    def identity(self) -> dict[str, str]:
        """Return what changes the bits beside the source: programs, libraries, weights, options.

        Results of an earlier run are used again only where this and the adapter's source are the
        same (`identity_of`). By default it is the values of all options. A codec with programs or
        weights names them by version or hash, and then only those options that change bits in
        another way.
        """
        return {f"option {name}": value for name, value in self.options.items()}

    def identity_at(self, rate_point: RatePoint) -> dict[str, str]:
        """Return what changes the bits at one of `rate_points` alone: the weights trained for it.

        It takes no part in the other rate points: a run folder takes new ones later.
        """
        return {}

    def complexity(self, rate_point: RatePoint) -> Complexity | None:
        """Return what its networks compute at a rate point; None for a codec that has none."""
        return None

    def rate_point(self, name: str) -> RatePoint:
        """Return the rate point called ``name``.

        Raises:
            UsageError: if the codec has none of that name, or would round its value.
        """
        settings = Settings(
            self.name, tuple(self.rate_points), self.value_range, self.whole_numbers
        )
        return settings.named(name)


def identity_of(codec: Codec) -> dict[str, str]:
    """Return all that changes a codec's bits: ``code``, the adapter's source, and its identity.

    The source is that of the whole file or folder that defines the class, with what it imports
    from beside it: every edit asks for new results.
    """
    return {"code": source_hash(type(codec), "benchmark.codecs"), **codec.identity()}


def identities_at(codec: Codec, rate_points: Iterable[RatePoint]) -> dict[str, dict[str, str]]:
    """Return what changes a codec's bits at some rate points alone, by their names.

    A rate that is searched for may be hit with anything that the codec has.
    """
    found = {}
    for point in rate_points:
        if point.parameter == TARGET:
            its = identity_at_all(codec)
        else:
            its = codec.identity_at(replace(point, scale=1.0))
        if its:
            found[point.name] = its
    return found


def identity_at_all(codec: Codec) -> dict[str, str]:
    """Return what changes a codec's bits at each of its rate points alone, whose names precede."""
    return {
        f"{point.name} {key}": value
        for point in codec.rate_points
        for key, value in codec.identity_at(point).items()
    }


def _noting_options(constructor: Callable[..., None]) -> Callable[..., None]:
    """A constructor that first sets `Codec.options`."""
    signature = inspect.signature(constructor)

    @functools.wraps(constructor)
    def construct(codec: Codec, *arguments: Any, **options: Any) -> None:
        if type(codec).__init__ is construct:  # not where a class constructs its base
            bound = signature.bind(codec, *arguments, **options)
            bound.apply_defaults()
            given = list(bound.arguments.items())[1:]
            codec.options = {name: str(value) for name, value in given}
        constructor(codec, *arguments, **options)

    return construct


class TrainableCodec(Codec):
    """A codec whose weights ``python -m benchmark train NAME`` trains."""

    @classmethod
    @abstractmethod
    def add_training_options(cls, parser: argparse.ArgumentParser) -> None:
        """Adds the options of the training to its command."""

    @classmethod
    @abstractmethod
    def train(cls, options: argparse.Namespace) -> Path | str:
        """Train as the options say; return the path of the weights, or what else was asked for.

        It is what the command prints on the standard output.
        """


@dataclass(frozen=True)
class Explanation:
    """How a codec arrives at the latent that it codes; all arrays are C x h x w.

    An element stands for a square of H'/h x W'/w pixels, where H' and W' are the image's height
    and width, padded at the bottom and at the right.

    Attributes:
        alpha: how far the codec draws each element to its mean, 0 to 1; None if it does not.
        latent: y, before masking and rounding.
        mean: mu of the Laplace distribution that the decoder expects.
        scale: b of that distribution, above 0.
        masked: y' = y - alpha (y - mu); y where there is no alpha.
        bits_before: estimated bits of the rounded y.
        bits_after: estimated bits of the rounded y'.
        stride: side of an element's square, in pixels.
    """

    alpha: Latent | None
    latent: Latent
    mean: Latent
    scale: Latent
    masked: Latent
    bits_before: Latent
    bits_after: Latent
    stride: int


@runtime_checkable
class Explainable(Protocol):
    """What a codec that masks latents may have beside the methods of `Codec`."""

    def explain(self, image: Image, rate_point: RatePoint) -> Explanation:
        """What encoding an image does to its latent."""
        ...


def _contract(found: type[Codec]) -> str:
    """What is wrong with the options of a codec's class; empty for nothing."""
    for option in inspect.signature(found).parameters.values():
        if option.kind in (option.VAR_POSITIONAL, option.VAR_KEYWORD):
            return f"its options are not named, but {option}"
        if option.kind is option.POSITIONAL_ONLY or option.default is option.empty:
            return f"its option {option.name!r} has no default"
    return ""


CODECS: Kind[Codec] = Kind("codec", "benchmark.codecs", Codec, _contract)
"""The codecs: a new file in ``codecs/`` is a new codec, and so is an entry point."""


def open_codec(name: str, options: Mapping[str, str] | None = None) -> Codec:
    """Return the codec called ``name``, ready to run.

    Raises:
        UsageError: if there is no such codec, or it does not have one of the options.
        CodecUnavailable: if it cannot run here, or its adapter is broken.
    """
    try:
        return new_codec(CODECS.load(name), options)
    except PluginError as error:
        raise CodecUnavailable(str(error)) from error


def new_codec(found: type[Codec], options: Mapping[str, str] | None = None) -> Codec:
    """Return a codec object of a class.

    Raises:
        UsageError: if it does not have one of the options.
        CodecUnavailable: if it cannot run here.
        PluginError: if its constructor fails in another way, or its rate points are none.
    """
    known = list(inspect.signature(found).parameters)
    for option in options or {}:
        if option not in known:
            has = f"its options are {', '.join(known)}" if known else "it has none"
            raise UsageError(f"codec {found.name} has no option {option!r}: {has}")
    where = inspect.getmodule(found)
    file = getattr(where, "__file__", None) or found.__qualname__
    codec = guarded(
        f"{file}: the constructor of codec {found.name} fails", lambda: found(**(options or {}))
    )
    points = getattr(codec, "rate_points", None)
    if problem := wrong_rate_points(points, codec.whole_numbers):
        raise PluginError(f"{file}: codec {found.name} {problem}")
    return codec


@dataclass(frozen=True)
class ListedCodec:
    """A codec as a list shows it.

    Attributes:
        name: what it is asked for by.
        rate_points: names of its own rate points; none where it cannot run here.
        problem: why it cannot run here; empty where it can.
    """

    name: str
    rate_points: tuple[str, ...]
    problem: str = ""


def list_codecs() -> list[ListedCodec]:
    """Return all codecs with their rate points, or with the reason why they cannot run here."""
    listed = []
    for name in CODECS.names():
        try:
            points = open_codec(name).rate_points
        except CodecUnavailable as error:
            listed.append(ListedCodec(name, (), str(error)))
        else:
            listed.append(ListedCodec(name, tuple(point.name for point in points)))
    return listed


def takes_option(name: str, option: str) -> bool:
    """Whether the codec called ``name`` can be used and has an option of that name."""
    with contextlib.suppress(UsageError):
        return option in inspect.signature(CODECS.load(name)).parameters
    return False
