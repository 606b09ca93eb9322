"""The run folder: the only code that writes results."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from benchmark.analysis.analysis_network import Detection
from benchmark.errors import UsageError
from benchmark.run.manifest import Manifest, manifest_text, parse_manifest
from benchmark.run.record import Record, parse_record, record_line
from benchmark.system.files import UNFINISHED, write_whole


class RunFolder:
    """Read and write a run folder; a run that was killed at any moment goes on.

    Bitstreams are written whole or not at all. Lines of records and detections are appended,
    the record last; when the folder is opened again, what is half written, or no longer fits its
    record, is dropped and asked for again. What this version merely does not know is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = filelock.FileLock(path / _LOCK, timeout=0)

    def __reduce__(self) -> tuple[type[RunFolder], tuple[Path]]:
        return RunFolder, (self.path,)  # a lock stays in its process

    # Manifest

    def manifest(self) -> Manifest | None:
        """Return what ``run.json`` holds; None for a new folder.

        Raises:
            UsageError: if the folder holds other files, or the manifest cannot be read or is of a
                newer format.
        """
        file = self.path / "run.json"
        if file.exists():
            return parse_manifest(file.read_text(encoding="utf-8"), file)
        if self.path.exists() and any(
            entry.name != _LOCK and not entry.name.startswith(UNFINISHED)
            for entry in self.path.iterdir()
        ):
            raise UsageError(f"{self.path} holds files, but no run: choose another --out")
        return None

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
            UsageError: if one writes to it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock:
                yield
        except filelock.Timeout:
            raise UsageError(f"another process is writing to {self.path}") from None

    # Results

    def add(self, record: Record, bitstream: bytes | None, detections: Sequence[Detection]) -> None:
        """Add the result of one image; it is lost or kept as a whole."""
        if bitstream is not None:
            write_whole(self.bitstream(record), bitstream)
        self._append_detections(record, detections)
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
        return content if hashlib.sha256(content).hexdigest() == record.sha256 else None

    def records(self) -> list[Record]:
        """Return the records, in the order of their lines, without those that are not whole."""
        return [line for line in self._record_lines() if isinstance(line, Record)]

    def detections(self, codec: str, rate_point: str) -> dict[int, list[Detection]]:
        """Return the detections of a rate point, by the image's number in this folder."""
        found: dict[int, list[Detection]] = {}
        for entry in _detection_entries(self._detections_file(codec, rate_point)):
            found.setdefault(entry["image_id"], []).append(Detection.from_coco(entry))
        return found

    def mend(self) -> list[Record]:
        """Drop what cannot be trusted, sort the rest; return the records that remain.

        Lines of records that this version does not know are kept below the others, and the
        detections that belong to them are kept too.
        """
        for unfinished in self.path.rglob(UNFINISHED + "*"):
            unfinished.unlink()
        lines = self._record_lines()
        unknown = [line for line in lines if isinstance(line, _UnknownLine)]
        groups: dict[tuple[str, str], list[Record]] = {
            (file.parent.name, file.stem): [] for file in self.path.glob("detections/*/*.json")
        }
        records = {line.key: line for line in lines if isinstance(line, Record)}
        for record in records.values():
            groups.setdefault((record.codec, record.rate_point), []).append(record)
        trusted = []
        for (codec, rate_point), group in sorted(groups.items()):
            entries = _detection_entries(self._detections_file(codec, rate_point))
            found = Counter(entry["image_id"] for entry in entries)
            kept = [
                record
                for record in sorted(group, key=lambda record: record.image)
                if found[record.image_id] == record.detections and self._has_bitstream(record)
            ]
            ids = {record.image_id for record in kept}
            ids |= {line.image_id for line in unknown if line.point == (codec, rate_point)}
            self._write_detections(codec, rate_point, ids, entries)
            trusted += kept
        text = "".join([*map(record_line, trusted), *(line.text + "\n" for line in unknown)])
        if text or (self.path / _RECORDS).exists():
            self.write_file(_RECORDS, text.encode())
        return trusted

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file below the run folder whole, or not at all."""
        write_whole(self.path / name, content)

    def _record_lines(self) -> list[Record | _UnknownLine]:
        """The lines that are whole: records, and what this version does not know."""
        found: list[Record | _UnknownLine] = []
        for line in _lines(self.path / _RECORDS):
            record = parse_record(line)
            if record is not None:
                found.append(record)
            elif (unknown := _unknown(line)) is not None:
                found.append(unknown)
        return found

    def _has_bitstream(self, record: Record) -> bool:
        return not record.sha256 or self.stored_bitstream(record) is not None

    def _detections_file(self, codec: str, rate_point: str) -> Path:
        return self.path / "detections" / codec / f"{rate_point}.json"

    def _append_detections(self, record: Record, detections: Sequence[Detection]) -> None:
        """Appends to the JSON array in place: its last line is the closing bracket."""
        file = self._detections_file(record.codec, record.rate_point)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_EMPTY_ARRAY)
        if not detections:
            return
        lines = [_json(detection.to_coco(record.image_id)) for detection in detections]
        with file.open("r+b") as array:
            end = array.seek(-len(_ARRAY_END), os.SEEK_END)
            separator = b"\n" if end == len(_EMPTY_ARRAY) - len(_ARRAY_END) else b",\n"
            array.write(separator + ",\n".join(lines).encode() + _ARRAY_END)

    def _write_detections(
        self, codec: str, rate_point: str, ids: set[Any], entries: Sequence[Mapping[str, Any]]
    ) -> None:
        lines = [
            _json(entry)
            for entry in sorted(entries, key=lambda entry: entry["image_id"])
            if entry["image_id"] in ids
        ]
        body = ("\n" + ",\n".join(lines)).encode() if lines else b""
        self.write_file(f"detections/{codec}/{rate_point}.json", b"[" + body + _ARRAY_END)


@dataclass(frozen=True)
class _UnknownLine:
    """A whole line of the records that this version cannot read, and what it is about."""

    text: str
    point: tuple[Any, Any]
    image_id: Any


_LOCK = ".lock"
_RECORDS = "records.jsonl"
_ARRAY_END = b"\n]\n"
_EMPTY_ARRAY = b"[" + _ARRAY_END


def _json(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, separators=(",", ":"))


def _append(file: Path, line: str) -> None:
    with file.open("ab") as stream:
        stream.write(line.encode())


def _lines(file: Path) -> list[str]:
    if not file.exists():
        return []
    return file.read_text(encoding="utf-8", errors="replace").splitlines()


def _unknown(line: str) -> _UnknownLine | None:
    """A line that no killed process has left half written, since it is whole JSON."""
    try:
        values = json.loads(line)
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    point = values.get("codec"), values.get("rate_point")
    return _UnknownLine(line, point, values.get("image_id"))


def _detection_entries(file: Path) -> list[dict[str, Any]]:
    """The entries of a detections file; of one that was being written, those that are whole."""
    entries = []
    for line in _lines(file):
        with contextlib.suppress(ValueError):
            entry = json.loads(line.removesuffix(","))
            if isinstance(entry, dict):
                entries.append(entry)
    return entries
