"""The contract of a codec (`benchmark.codec.Codec`)."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmark.codec import CODECS, Codec, RatePoint, identity_at_all, identity_of, new_codec
from benchmark.complexity import Complexity
from benchmark.contracts.outcome import Check, checked, expect
from benchmark.contracts.source_contract import unnoticed_edits
from benchmark.errors import CodecUnavailable, PluginError, ProgramError, UsageError
from benchmark.image import Image
from benchmark.run.jobs import CodecChoice, pixels_hash
from benchmark.runner import Finished, Runner, open_runner

SIZES = ((2, 2), (64, 2), (2, 64), (16, 16), (34, 18), (130, 66), (641, 427))
"""Width and height in pixels. An odd last row or column is cut off first, as the harness does."""

DOCUMENTED = (ValueError, OSError, ProgramError, UsageError)
"""What coding may raise where it is refused or fails; anything else has no meaning to a user."""

_USUAL = (96, 64)


def check_codec(name: str, options: Mapping[str, str]) -> Iterator[Check]:
    """Put a codec through its contract.

    Args:
        name: of a codec whose class can be loaded.
        options: that it is checked with.

    Raises:
        UsageError: if it does not have one of the options.
        CodecUnavailable: if it cannot run here.
    """
    try:
        codec = new_codec(CODECS.load(name), options)
    except PluginError as error:
        yield Check("it can be constructed and has rate points", str(error))
        return
    choice = CodecChoice(name, tuple(options.items()), codec.rate_points, CODECS.handed_over(name))
    printed = io.StringIO()
    runner = open_runner("local", 1)
    contract = _CodecContract(codec, choice, runner)
    try:
        for what, part in contract.parts():
            with contextlib.redirect_stdout(printed):
                outcome = checked(what, part)
            yield outcome
    finally:
        runner.close()
    count = len(printed.getvalue())
    yield Check("printing breaks nothing", note=f"{count} characters" if count else "none printed")


class _CodecContract:
    def __init__(self, codec: Codec, choice: CodecChoice, runner: Runner) -> None:
        self.codec, self.choice, self.runner = codec, choice, runner
        points = codec.rate_points
        self.middle = points[len(points) // 2]

    def parts(self) -> Iterator[tuple[str, Callable[[], str | None]]]:
        """Yield each part of the contract with the function that checks it."""
        yield "the identity is text, the same in another object and process", self.identity
        for point in self.codec.rate_points:
            yield (
                f"{point.name}: decoded in another process to the same pixels",
                functools.partial(self.codes, test_image(*_USUAL), point),
            )
        for width, height in SIZES:
            yield (
                f"an image of {width} x {height} comes back in its size",
                functools.partial(self.size, width, height),
            )
        yield "the same image gives the same bytes again", self.repeats
        yield "damaged bitstreams give an image or a documented error", self.damaged
        yield "what its networks compute is counted, or it has none", self.complexity
        yield "other options give another identity, or the same bits", self.options
        yield "an edit of any source file gives another identity", self.source

    def identity(self) -> None:
        """Raise `BrokenContract` if the identity is of no use."""
        identity = _identities(self.codec)
        for key, value in identity.items():
            expect(isinstance(key, str) and isinstance(value, str), f"{key!r}: {value!r:.80}")
        expect(_identities(self.choice.open()) == identity, "another object has another identity")
        if self.choice.kind is not None:  # its source is known in this process only
            identity = _identities(self.codec, source=False)
        other = self._elsewhere(_identities_elsewhere, self.choice)
        expect(other == identity, f"another process says {_differing(other, identity)}")

    def codes(self, image: Image, point: RatePoint) -> str:
        """Encode here, decode in another process and in another object here, and compare."""
        self.codec.prepare(point)
        bitstream = self.codec.encode(image.copy(), point)
        expect(isinstance(bitstream, bytes), f"encode returned {type(bitstream).__name__}")
        expect(bitstream, "the bitstream is empty")
        other = self.choice.open()
        other.prepare(point)
        here = other.decode(bitstream)
        expect(
            isinstance(here, np.ndarray) and here.dtype == np.uint8 and here.shape == image.shape,
            f"decoded {getattr(here, 'dtype', type(here).__name__)} of shape "
            f"{getattr(here, 'shape', None)}, not uint8 of {image.shape}",
        )
        there = self._elsewhere(_decoded_hash, (self.choice, point, bitstream))
        expect(there == pixels_hash(np.ascontiguousarray(here)), "the pixels differ there")
        return f"{8 * len(bitstream) / (image.shape[0] * image.shape[1]):.2f} bpp"

    def size(self, width: int, height: int) -> str:
        """Code an image of a size, which a codec may refuse by name."""
        image = test_image(width, height)
        shown = f"{image.shape[1]} x {image.shape[0]}"
        try:
            self.codec.prepare(self.middle)
            self.codec.encode(image.copy(), self.middle)
        except DOCUMENTED as error:
            text = " ".join(str(error).split())
            named = all(re.search(rf"\b{side}\b", text) for side in image.shape[:2])
            expect(named, f"refused, and the message does not say the size {shown}: {text:.200}")
            return f"refused: {text:.200}"
        return self.codes(image, self.middle)

    def repeats(self) -> None:
        """Raise `BrokenContract` if encoding again gives other bytes."""
        image = test_image(*_USUAL)
        other = self.choice.open()
        for codec in (self.codec, other):
            codec.prepare(self.middle)
        first, second, third = (
            its.encode(image.copy(), self.middle) for its in (self.codec, self.codec, other)
        )
        expect(first == second, "the same object gives other bytes")
        expect(first == third, "another object gives other bytes")

    def damaged(self) -> str:
        """Decode what is no bitstream, in another process: it may crash there."""
        self.codec.prepare(self.middle)
        good = self.codec.encode(test_image(*_USUAL), self.middle)
        refused = 0
        for what, bitstream in _damage(good):
            outcome, text = self._elsewhere(_decoded_kind, (self.choice, self.middle, bitstream))
            expect(outcome in ("image", "refused"), f"{what}: {text}")
            refused += outcome == "refused"
        return f"{refused} of {len(list(_damage(good)))} refused"

    def complexity(self) -> str:
        """Ask for the complexity of the middle rate point."""
        found = self.codec.complexity(self.middle)
        expect(found is None or isinstance(found, Complexity), f"{type(found).__name__}")
        return "none" if found is None else f"{found.encoder_kmac:.1f} kMAC per pixel to encode"

    def options(self) -> str:
        """Compare with the defaults, or with another number, for every option that allows it."""
        given, image = dict(self.choice.options), test_image(*_USUAL)
        tried, left = [], []
        for option in inspect.signature(type(self.codec)).parameters.values():
            default = str(option.default)
            if option.name in given:
                others = {key: value for key, value in given.items() if key != option.name}
            elif re.fullmatch(r"\d+", default):
                others = {**given, option.name: str(int(default) + 1)}
            else:
                left.append(option.name)
                continue
            try:
                other = new_codec(type(self.codec), others)
            except (UsageError, CodecUnavailable):
                left.append(option.name)
                continue
            tried.append(option.name)
            if _identities(other) == _identities(self.codec):
                for point in self.codec.rate_points:
                    same = other.encode(image, point) == self.codec.encode(image, point)
                    expect(same, f"option {option.name} changes the bits, not the identity")
        if not (tried or left):
            return "it has none"
        untried = f"give a value by --option to try {', '.join(left)}" if left else ""
        return "; ".join(filter(None, (f"tried {', '.join(tried)}" if tried else "", untried)))

    def source(self) -> str:
        """Raise `BrokenContract` if an edit would go unnoticed."""
        files, unnoticed = unnoticed_edits(type(self.codec), CODECS.package, self.runner)
        expect(not unnoticed, f"not noticed: {', '.join(unnoticed)}")
        return f"{files} files" if files else "its class alone, which no file has"

    def _elsewhere(self, function: Callable[..., Any], task: Any) -> Any:
        (outcome,) = self.runner.run(function, [task])
        expect(isinstance(outcome, Finished), getattr(outcome, "reason", ""))
        assert isinstance(outcome, Finished)
        return outcome.result


def test_image(width: int, height: int) -> Image:
    """Return shading, coloured boxes and a little noise; odd last rows and columns are cut off."""
    random = np.random.default_rng([width, height])
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.repeat((60 + rows * 0.3 + 20 * np.sin(columns / 9))[..., None], 3, axis=2)
    for _ in range(12):
        top, left = random.integers(0, height), random.integers(0, width)
        image[top : top + height // 5, left : left + width // 6] = random.integers(40, 216, 3)
    image += random.normal(0, 2, (height, width, 1))
    pixels = np.clip(image.round(), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels[: height // 2 * 2, : width // 2 * 2])


def _damage(good: bytes) -> Iterator[tuple[str, bytes]]:
    random = np.random.default_rng(1)
    yield "no byte at all", b""
    yield "the first byte alone", good[:1]
    yield "the first half", good[: len(good) // 2]
    yield "all but the last byte", good[:-1]
    for _ in range(6):
        place, bit = int(random.integers(len(good))), 1 << int(random.integers(8))
        yield (
            f"bit {bit} of byte {place} flipped",
            (good[:place] + bytes([good[place] ^ bit]) + good[place + 1 :]),
        )
    yield "500 zeros", bytes(500)
    yield "500 random bytes", random.bytes(500)


@functools.lru_cache(1)
def _opened(choice: CodecChoice) -> Codec:
    return choice.open()


def _identities(codec: Codec, source: bool = True) -> dict[str, str]:
    """What changes a codec's bits, at all of its rate points and at each alone."""
    everywhere = identity_of(codec) if source else codec.identity()
    return {**everywhere, **identity_at_all(codec)}


def _identities_elsewhere(choice: CodecChoice) -> dict[str, str]:
    return _identities(_opened(choice), source=choice.kind is None)


def _decoded_hash(task: tuple[CodecChoice, RatePoint, bytes]) -> str:
    choice, point, bitstream = task
    codec = _opened(choice)
    codec.prepare(point)
    return pixels_hash(np.ascontiguousarray(codec.decode(bitstream)))


def _decoded_kind(task: tuple[CodecChoice, RatePoint, bytes]) -> tuple[str, str]:
    """What comes of a damaged bitstream: image, refused, or something else with the reason."""
    choice, point, bitstream = task
    codec = _opened(choice)
    codec.prepare(point)
    try:
        decoded: Any = codec.decode(bitstream)
    except DOCUMENTED as error:
        return "refused", str(error)
    except BaseException as error:  # an exit too
        return "error", f"{type(error).__name__}, which is not documented: {error}"
    if isinstance(decoded, np.ndarray) and decoded.dtype == np.uint8 and decoded.ndim == 3:
        return "image", ""
    return "error", f"decode returned {type(decoded).__name__}"


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    keys = sorted(key for key in {*one, *other} if one.get(key) != other.get(key))
    return ", ".join(f"{key} = {one.get(key)!r:.60}" for key in keys)
