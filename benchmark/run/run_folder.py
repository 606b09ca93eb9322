"""The run folder: the only code that writes results."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import msgspec

from benchmark.analysis.analysis_network import Detection
from benchmark.errors import UsageError
from benchmark.run.manifest import Manifest, manifest_text, parse_manifest
from benchmark.run.record import Record, parse_record, record_line, replaced, whole_values
from benchmark.system.files import UNFINISHED, write_whole

LOCK = ".lock"
"""The file that keeps other processes from writing to a run folder."""


class RunFolder:
    """Read and write a run folder; a run that was killed at any moment goes on.

    Bitstreams are written whole or not at all. Lines of records and detections are appended,
    the record last; when the folder is opened again, what is half written, or no longer fits its
    record, is dropped and asked for again. What this version merely does not know is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = filelock.FileLock(path / LOCK, timeout=0)

    def __reduce__(self) -> tuple[type[RunFolder], tuple[Path]]:
        return RunFolder, (self.path,)  # a lock stays in its process

    # Manifest

    def manifest(self) -> Manifest | None:
        """Return what ``run.json`` holds; None for a new folder.

        Raises:
            UsageError: if the folder holds other files or cannot be read, or the manifest cannot be
                read or is of a newer format.
        """
        file = self.path / "run.json"
        try:
            if file.exists():
                return parse_manifest(file.read_bytes(), file)
            if self.path.exists() and any(
                entry.name != LOCK and not entry.name.startswith(UNFINISHED)
                for entry in self.path.iterdir()
            ):
                raise UsageError(f"{self.path} holds files, but no run: choose another --out")
        except OSError as error:
            raise UsageError(f"{self.path} is no folder that can be read: {error}") from error
        return None

    def check_usable(self) -> None:
        """Find out, before any work, whether a run can be kept here; make nothing.

        Raises:
            UsageError: as `manifest`, and if the folder can be neither made nor written, as far as
                the system says so beforehand.
        """
        try:
            place = self.path
            while not (place.is_symlink() or place.exists()):
                place = place.absolute().parent
            place_is_folder = place.is_dir()
        except OSError as error:
            raise self._unusable(error) from error
        if not place_is_folder:
            kind = "a link to nowhere" if not place.exists() else "not a folder"
            raise UsageError(f"{self.path} cannot hold a run, {place} is {kind}: {_ANOTHER}")
        if not os.access(place, os.W_OK | os.X_OK):
            raise UsageError(f"{self.path} cannot hold a run, {place} is not writable: {_ANOTHER}")
        self.manifest()

    def _unusable(self, error: OSError) -> UsageError:
        return UsageError(f"{self.path} cannot hold a run ({error.strerror}): {_ANOTHER}")

    def finished_manifest(self) -> Manifest:
        """Return the manifest of a folder that holds a run.

        Raises:
            UsageError: as `manifest`, and if there is none.
        """
        manifest = self.manifest()
        if manifest is None:
            raise UsageError(f"{self.path} is not a run folder")
        return manifest

    def write_manifest(self, manifest: Manifest) -> None:
        """Write ``run.json``."""
        self.write_file("run.json", manifest_text(manifest).encode())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing to the folder; may be nested.

        Raises:
            UsageError: if one writes to it, or the folder cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except filelock.Timeout:
            raise UsageError(f"another process is writing to {self.path}") from None
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield
        finally:
            self._lock.release()

    # Results

    def holds_unknown_records(self) -> bool:
        """Return whether there are whole lines of records that this version does not know."""
        return any(isinstance(line, _UnknownLine) for line in self._record_lines())

    def add(self, record: Record, bitstream: bytes | None, detections: Sequence[Detection]) -> None:
        """Add the result of one image; it is lost or kept as a whole."""
        if bitstream is not None:
            write_whole(self.bitstream(record), bitstream)
        lines = [_json(detection.to_coco(record.image_id)) for detection in detections]
        self._append_detections(record, lines)
        record = replaced(record, detections_sha256=_digest(lines))
        _append(self.path / _RECORDS, record_line(record))

    def bitstream(self, record: Record) -> Path:
        """Return the file of a record's bitstream."""
        return self.path / "bitstreams" / record.codec / record.rate_point / record.image

    def stored_bitstream(self, record: Record) -> bytes | None:
        """Return a record's bitstream; None if the file is missing or is not the record's."""
        try:
            content = self.bitstream(record).read_bytes()
        except OSError:
            return None
        digest = hashlib.sha256(content).hexdigest()
        return content if (len(content), digest) == (record.bytes, record.sha256) else None

    def records(self) -> list[Record]:
        """Return one record of each key, in the order of their lines; only lines that are whole."""
        return _last_of_each(self._record_lines())

    def detections(
        self, codec: str, rate_point: str, records: Iterable[Record] = ()
    ) -> dict[int, list[Detection]]:
        """Return the detections of a rate point, by the image's number in this folder.

        Args:
            codec, rate_point: which.
            records: of the rate point; the detections must be those that they speak of.

        Raises:
            UsageError: if an entry of the file is no detection, or not as it was written.
        """
        file = self._detections_file(codec, rate_point)
        found: dict[int, list[Detection]] = {}
        whole = _detection_entries(file)
        for record in records:
            entries = _entries_of(record, whole.get(record.image_id, []))
            if entries is None:
                raise UsageError(
                    f"{file} does not hold what was found in {record.image} as it was written: "
                    "run again, it is made anew"
                )
            whole[record.image_id] = list(entries)
        for number, entries in whole.items():
            try:
                found[number] = [Detection.from_coco(entry.values) for entry in entries]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise UsageError(
                    f"{file} holds an entry of image {number} that is no detection: take the file "
                    "away and run again, it is made anew"
                ) from error
        return found

    def mend(self) -> list[Record]:
        """Drop what cannot be trusted, sort the rest; return the records that remain.

        Lines of records that this version does not know are kept below the others, and the
        detections that belong to them are kept too.
        """
        for unfinished in self.path.rglob(UNFINISHED + "*"):
            unfinished.unlink()
        lines = list(self._record_lines())
        unknown = [line for line in lines if isinstance(line, _UnknownLine)]
        groups: dict[tuple[str, str], list[Record]] = {
            (file.parent.name, file.stem): [] for file in self.path.glob("detections/*/*.json")
        }
        for record in _last_of_each(lines):
            groups.setdefault((record.codec, record.rate_point), []).append(record)
        trusted = []
        for (codec, rate_point), group in sorted(groups.items()):
            found = _detection_entries(self._detections_file(codec, rate_point))
            others = [line.image_id for line in unknown if line.point == (codec, rate_point)]
            written = {number: list(its) for number, its in found.items() if number in others}
            for record in sorted(group, key=lambda record: record.image):
                entries = _entries_of(record, found.get(record.image_id, []))
                if entries is not None and self._has_bitstream(record):
                    written[record.image_id] = list(entries)
                    trusted.append(record)
            self._write_detections(codec, rate_point, written)
        text = "".join([*map(record_line, trusted), *(line.text + "\n" for line in unknown)])
        if text or (self.path / _RECORDS).exists():
            self.write_file(_RECORDS, text.encode())
        return trusted

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file below the run folder whole, or not at all, if it holds anything else."""
        file = self.path / name
        if not file.is_file() or file.read_bytes() != content:
            write_whole(file, content)

    def _record_lines(self) -> Iterator[Record | _UnknownLine]:
        """The lines that are whole: records, and what this version does not know."""
        for line in _lines(self.path / _RECORDS):
            record = parse_record(line)
            if record is not None:
                yield record
            elif (unknown := _unknown(line)) is not None:
                yield unknown

    def _has_bitstream(self, record: Record) -> bool:
        return not record.sha256 or self.stored_bitstream(record) is not None

    def _detections_file(self, codec: str, rate_point: str) -> Path:
        return self.path / "detections" / codec / f"{rate_point}.json"

    def _append_detections(self, record: Record, lines: Sequence[str]) -> None:
        """Appends to the JSON array in place: its last line is the closing bracket."""
        file = self._detections_file(record.codec, record.rate_point)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_EMPTY_ARRAY)
        if not lines:
            return
        with file.open("r+b") as array:
            end = array.seek(-len(_ARRAY_END), os.SEEK_END)
            separator = b"\n" if end == len(_EMPTY_ARRAY) - len(_ARRAY_END) else b",\n"
            array.write(separator + ",\n".join(lines).encode() + _ARRAY_END)

    def _write_detections(
        self, codec: str, rate_point: str, entries: Mapping[int, Sequence[_DetectionEntry]]
    ) -> None:
        lines = [entry.text for number in sorted(entries) for entry in entries[number]]
        body = ("\n" + ",\n".join(lines)).encode() if lines else b""
        self.write_file(f"detections/{codec}/{rate_point}.json", b"[" + body + _ARRAY_END)


@dataclass(frozen=True)
class _UnknownLine:
    """A whole line of the records that this version cannot read, and what it is about."""

    text: str
    point: tuple[Any, Any]
    image_id: Any


def _last_of_each(lines: Iterable[Record | _UnknownLine]) -> list[Record]:
    """The records, one of each key: the last, in the place of the first."""
    return list({line.key: line for line in lines if isinstance(line, Record)}.values())


_ANOTHER = "choose another --out"
_RECORDS = "records.jsonl"
_ARRAY_END = b"\n]\n"
_EMPTY_ARRAY = b"[" + _ARRAY_END


def _json(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, separators=(",", ":"))


def _append(file: Path, line: str) -> None:
    with file.open("ab") as stream:
        stream.write(line.encode())


def _lines(file: Path) -> Iterator[str]:
    if file.exists():
        with file.open(encoding="utf-8", errors="replace") as stream:
            yield from (line.removesuffix("\n") for line in stream)


def _unknown(line: str) -> _UnknownLine | None:
    """A line that no killed process has left half written, since it is whole JSON."""
    values = whole_values(line)
    if values is None:
        return None
    point = values.get("codec"), values.get("rate_point")
    return _UnknownLine(line, point, values.get("image_id"))


class _DetectionEntry(NamedTuple):
    """An entry of a detections file: what it holds, and its text."""

    values: dict[str, Any]
    text: str


def _detection_entries(file: Path) -> dict[int, list[_DetectionEntry]]:
    """The entries of a detections file by the image's number, as far as they are whole."""
    entries: dict[int, list[_DetectionEntry]] = {}
    for line in _lines(file):
        text = line.removesuffix(",")
        with contextlib.suppress(ValueError):
            values = msgspec.json.decode(text)
            if isinstance(values, dict) and isinstance(values.get("image_id"), int):
                entries.setdefault(values["image_id"], []).append(_DetectionEntry(values, text))
    return entries


def _entries_of(
    record: Record, entries: Sequence[_DetectionEntry]
) -> Sequence[_DetectionEntry] | None:
    """Those of an image's entries that its record speaks of; None if they are not as they were.

    They are the last: those before may belong to a line that this version does not know.
    """
    if not record.detections_sha256:
        return entries if len(entries) == record.detections else None
    last = entries[max(0, len(entries) - record.detections) :]
    is_whole = len(last) == record.detections and record.detections_sha256 == _digest(
        [entry.text for entry in last]
    )
    return last if is_whole else None


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
