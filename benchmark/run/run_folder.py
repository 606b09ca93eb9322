"""The run folder: the only code that writes results."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmark.analysis.analysis_network import Detection
from benchmark.errors import UsageError
from benchmark.metrics.average_precision import coco_result
from benchmark.system.files import UNFINISHED, write_whole

UNCOMPRESSED = "uncompressed"
"""What the original images are called where a codec's name is expected."""


@dataclass(frozen=True)
class Record:
    """What was measured on one image at one rate point of one codec.

    Attributes:
        codec, rate_point, image: what was measured.
        image_id: the image's number in the data set.
        width, height: of the image, in pixels.
        bytes: size of the bitstream.
        sha256: of the bitstream; empty for the original images, whose pixels are not kept.
        decoded_sha256: of the decoded pixels, row by row, RGB.
        detections: number of detections in the decoded image.
        psnr: in dB over RGB; None where the decoded image equals the original.
        ms_ssim: at most 1; None for images too small for it.
        encode_s, decode_s, analysis_s: wall time in seconds, on one thread.
    """

    codec: str
    rate_point: str
    image: str
    image_id: int
    width: int
    height: int
    bytes: int
    sha256: str
    decoded_sha256: str
    detections: int
    psnr: float | None
    ms_ssim: float | None
    encode_s: float
    decode_s: float
    analysis_s: float

    @property
    def key(self) -> tuple[str, str, str]:
        """Codec, rate point and image: what there is one record of."""
        return self.codec, self.rate_point, self.image


class RunFolder:
    """Reads and writes a run folder; design: a run that was killed at any moment goes on.

    Bitstreams are written whole or not at all. Lines of records and detections are appended,
    the record last; when the folder is opened again, what is half written, or no longer fits a
    record, is dropped and asked for again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    # Manifest

    def manifest(self) -> dict[str, Any]:
        """What ``run.json`` holds; empty for a new folder.

        Raises:
            UsageError: if the folder holds other files, or the manifest cannot be read.
        """
        file = self.path / "run.json"
        if not file.exists():
            if self.path.exists() and any(
                entry.name != _LOCK and not entry.name.startswith(UNFINISHED)
                for entry in self.path.iterdir()
            ):
                raise UsageError(f"{self.path} holds files, but no run: choose another --out")
            return {}
        try:
            manifest = json.loads(file.read_text())
        except ValueError as error:
            raise UsageError(f"{file} is not a run's manifest ({error})") from error
        if not isinstance(manifest, dict):
            raise UsageError(f"{file} is not a run's manifest: it holds no object")
        return manifest

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        self.write_file("run.json", json.dumps(manifest, indent=1).encode() + b"\n")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from writing to the folder.

        Raises:
            UsageError: if one does.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(f"another process is writing to {self.path}") from None
            yield

    # Results

    def add(self, record: Record, bitstream: bytes | None, detections: Sequence[Detection]) -> None:
        """Adds the result of one image; it is lost or kept as a whole."""
        if bitstream is not None:
            write_whole(self.bitstream(record), bitstream)
        self._append_detections(record, detections)
        _append(self.path / "records.jsonl", _record_line(record))

    def bitstream(self, record: Record) -> Path:
        """The file of a record's bitstream."""
        return self.path / "bitstreams" / record.codec / record.rate_point / record.image

    def records(self) -> list[Record]:
        """The records, in the order of their lines; a half-written line is left out."""
        return [record for line in _lines(self.path / "records.jsonl") if (record := _parse(line))]

    def detections(self, codec: str, rate_point: str) -> dict[int, list[Detection]]:
        """The detections of a rate point, by the image's id."""
        found: dict[int, list[Detection]] = {}
        for entry in _detection_entries(self._detections_file(codec, rate_point)):
            segmentation = entry["segmentation"]
            detection = Detection(
                category_id=entry["category_id"],
                score=entry["score"],
                box=tuple(entry["bbox"]),
                size=tuple(segmentation["size"]),
                counts=segmentation["counts"],
            )
            found.setdefault(entry["image_id"], []).append(detection)
        return found

    def mend(self) -> list[Record]:
        """Drops what cannot be trusted, sorts the rest; returns the records that remain."""
        for unfinished in self.path.rglob(UNFINISHED + "*"):
            unfinished.unlink()
        groups: dict[tuple[str, str], list[Record]] = {
            (file.parent.name, file.stem): [] for file in self.path.glob("detections/*/*.json")
        }
        for record in {record.key: record for record in self.records()}.values():
            groups.setdefault((record.codec, record.rate_point), []).append(record)
        trusted = []
        for (codec, rate_point), records in sorted(groups.items()):
            entries = _detection_entries(self._detections_file(codec, rate_point))
            found = Counter(entry["image_id"] for entry in entries)
            kept = [
                record
                for record in sorted(records, key=lambda record: record.image)
                if found[record.image_id] == record.detections and self._has_bitstream(record)
            ]
            self._write_detections(codec, rate_point, kept, entries)
            trusted += kept
        lines = "".join(_record_line(record) for record in trusted)
        if lines or (self.path / "records.jsonl").exists():
            self.write_file("records.jsonl", lines.encode())
        return trusted

    def write_file(self, name: str, content: bytes) -> None:
        """Writes a file below the run folder whole, or not at all."""
        write_whole(self.path / name, content)

    def _has_bitstream(self, record: Record) -> bool:
        if not record.sha256:
            return True
        file = self.bitstream(record)
        return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == record.sha256

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
        lines = [_json(coco_result(record.image_id, detection)) for detection in detections]
        with file.open("r+b") as array:
            end = array.seek(-len(_ARRAY_END), os.SEEK_END)
            separator = b"\n" if end == len(_EMPTY_ARRAY) - len(_ARRAY_END) else b",\n"
            array.write(separator + ",\n".join(lines).encode() + _ARRAY_END)

    def _write_detections(
        self,
        codec: str,
        rate_point: str,
        kept: Sequence[Record],
        entries: Sequence[Mapping[str, Any]],
    ) -> None:
        ids = {record.image_id for record in kept}
        lines = [
            _json(entry)
            for entry in sorted(entries, key=lambda entry: entry["image_id"])
            if entry["image_id"] in ids
        ]
        body = ("\n" + ",\n".join(lines)).encode() if lines else b""
        self.write_file(f"detections/{codec}/{rate_point}.json", b"[" + body + _ARRAY_END)


_LOCK = ".lock"
_ARRAY_END = b"\n]\n"
_EMPTY_ARRAY = b"[" + _ARRAY_END
_FIELDS = {field.name for field in fields(Record)}


def _json(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, separators=(",", ":"))


def _record_line(record: Record) -> str:
    return json.dumps(asdict(record), allow_nan=False) + "\n"


def _append(file: Path, line: str) -> None:
    with file.open("ab") as stream:
        stream.write(line.encode())


def _lines(file: Path) -> list[str]:
    if not file.exists():
        return []
    return file.read_text(errors="replace").splitlines()


def _parse(line: str) -> Record | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or set(values) != _FIELDS:
        return None
    return Record(**values)


def _detection_entries(file: Path) -> list[dict[str, Any]]:
    """The entries of a detections file; of one that was being written, those that are whole."""
    entries = []
    for line in _lines(file):
        with contextlib.suppress(ValueError):
            entry = json.loads(line.removesuffix(","))
            if isinstance(entry, dict):
                entries.append(entry)
    return entries


def finite(value: float) -> float | None:
    """A number for a record: None in place of infinity and NaN, which JSON does not have."""
    return value if math.isfinite(value) else None
