"""Merge run folders that were made apart: other codecs, rate points or images of one data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmark.analysis.analysis_network import Detection
from benchmark.errors import UsageError
from benchmark.run.agreement import check_agreement
from benchmark.run.image_numbers import known_numbers, with_new_images
from benchmark.run.manifest import Invocation, Manifest
from benchmark.run.record import Key, Record, replaced
from benchmark.run.run_folder import RunFolder

_SAME_SCORE = 1e-3
_SAME_PLACE = 0.5
"""Pixels between the sides of two boxes that stand for one detection."""

_SAME_MASK = 0.8
"""The IoU of two masks of one detection: of the smallest, a pixel at the border is a tenth."""


@dataclass(frozen=True)
class Source:
    """A run folder that is merged; it is only read."""

    folder: RunFolder
    manifest: Manifest
    records: Sequence[Record]


@dataclass(frozen=True)
class Brought:
    """How many results a source holds, and how many of them no source before it holds."""

    path: Path
    results: int
    new: int


def open_sources(paths: Sequence[Path]) -> list[Source]:
    """Read run folders, and find out whether they fit together.

    Raises:
        UsageError: if one holds no run or results that this version does not know, or two were
            made with something else.
    """
    sources: list[Source] = []
    for path in paths:
        folder = RunFolder(path)
        source = Source(folder, folder.finished_manifest(), folder.records())
        if folder.holds_unknown_records():
            raise UsageError(
                f"{path} holds results that this version does not know: merge it with the version "
                "that made it"
            )
        for other in sources:
            _check_fits(other, source)
        sources.append(source)
    return sources


def merge_into(target: RunFolder, sources: Sequence[Source]) -> list[Brought]:
    """Write the results of all sources into a new folder; return what each of them brought.

    A result that several sources hold is written once, with the times and the detections of the
    first: on another kind of processor scores differ in the fifth digit. Images keep the
    numbers of the first folder that has them. The manifest, which makes the folder a run, comes
    last.

    Raises:
        UsageError: if sources hold different results of the same codec, rate point and image, or
            one does not hold a bitstream or detections as they were written.
    """
    numbers: dict[str, int] = {}
    for source in sources:
        numbers = with_new_images(numbers, known_numbers(source.manifest, source.records))
    written: dict[Key, tuple[Source, _Result]] = {}
    invocations: list[Invocation] = []
    brought = []
    for source in sources:
        before = len(written)
        for result in _results(source):
            record = result.record
            if record.key in written:
                _check_same(*written[record.key], source, result)
                continue
            written[record.key] = source, result
            record = replaced(
                record,
                image_id=numbers[record.image],
                invocation=record.invocation + len(invocations),
            )
            target.add(record, _bitstream(source, result.record), result.detections)
        invocations += [_renumbered(made, numbers) for made in source.manifest.invocations]
        brought.append(Brought(source.folder.path, len(source.records), len(written) - before))
    target.mend()  # sorts
    manifest = msgspec.structs.replace(sources[0].manifest, invocations=invocations)
    target.write_manifest(manifest)
    return brought


@dataclass(frozen=True)
class _Result:
    record: Record
    detections: Sequence[Detection]


def _check_fits(one: Source, other: Source) -> None:
    def prove(codec: str) -> str:
        """An identity of format 1 is compared as it is: nothing is coded again here."""
        if other.manifest.codecs[codec].identity == one.manifest.codecs[codec].identity:
            return ""
        return "it does not say the codec's source; its own command, given again, adds it"

    check_agreement(one.manifest, other.manifest, one.folder.path, prove, other.folder.path)


def _results(source: Source) -> Iterator[_Result]:
    points: dict[tuple[str, str], list[Record]] = {}
    for record in source.records:
        points.setdefault((record.codec, record.rate_point), []).append(record)
    for point, records in points.items():
        found = source.folder.detections(*point, records)
        for record in records:
            yield _Result(record, found.get(record.image_id, []))


def _bitstream(source: Source, record: Record) -> bytes | None:
    if not record.sha256:  # an original image
        return None
    bitstream = source.folder.stored_bitstream(record)
    if bitstream is None:
        raise UsageError(
            f"{source.folder.bitstream(record)} is not the bitstream of its record: give the "
            f"command of {source.folder.path} again, it is made anew"
        )
    return bitstream


def _check_same(first: Source, kept: _Result, second: Source, result: _Result) -> None:
    """Raise a `UsageError` if two results of the same codec, rate point and image differ."""
    one, other = kept.record, result.record
    decoded = one.decoded_sha256, other.decoded_sha256
    if one.sha256 != other.sha256:
        what = "bitstreams"
    elif all(decoded) and decoded[0] != decoded[1]:
        what = "decoded pixels"
    elif not _alike(kept.detections, result.detections):
        what = "detections"
    else:
        return
    raise UsageError(
        f"{first.folder.path} and {second.folder.path} hold different {what} of "
        f"{'/'.join(one.key)}: only runs that agree can be merged"
    )


def _alike(some: Sequence[Detection], others: Sequence[Detection]) -> bool:
    """Whether detections differ by no more than a network's arithmetic on two processors."""
    left = list(others)
    for one in some:
        same = next((other for other in left if _near(one, other)), None)
        if same is None:
            return False
        left.remove(same)
    return not left


def _near(one: Detection, other: Detection) -> bool:
    return (
        (one.category_id, one.size) == (other.category_id, other.size)
        and abs(one.score - other.score) <= _SAME_SCORE
        and all(abs(a - b) <= _SAME_PLACE for a, b in zip(one.box, other.box, strict=True))
        and (one.counts == other.counts or _mask_iou(one, other) >= _SAME_MASK)
    )


def _mask_iou(one: Detection, other: Detection) -> float:
    first, second = one.mask(), other.mask()
    return float((first & second).sum() / max((first | second).sum(), 1))


def _renumbered(invocation: Invocation, numbers: Mapping[str, int]) -> Invocation:
    images = {
        name: msgspec.structs.replace(image, id=numbers.get(name))
        for name, image in invocation.images.items()
    }
    return msgspec.structs.replace(invocation, images=images)
