"""A record: what was measured on one image at one rate point of one codec."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from benchmark.metrics.qualities import IMAGE_QUALITIES
from benchmark.system.records import Entry, read_entry

UNCOMPRESSED = "uncompressed"
"""What the original images are called where a codec's name is expected."""

_CHECK = "check"

Key = tuple[str, str, str]
"""Codec, rate point and image: there is one record of each."""


class Record(Entry, frozen=True, kw_only=True):
    """What was measured on one image at one rate point of one codec.

    Attributes:
        codec, rate_point, image: what was measured.
        image_id: the image's number in the detections files of the run folder.
        width, height: of the image, in pixels.
        bytes: size of the bitstream.
        sha256: of the bitstream that was decoded; empty for the original images, whose pixels
            are not kept.
        decoded_sha256: of the decoded pixels, row by row, RGB; empty where it is not known.
        detections: number of detections in the decoded image.
        detections_sha256: of the detections' lines in the run folder; empty where it is not known.
        setting: the codec's own rate point that was found where the rate itself was asked for;
            None elsewhere.
        qualities: of `benchmark.metrics.qualities`, those that compare two images, by their
            column; None where a comparison has no finite value. What was not measured is missing.
        encode_s, decode_s, analysis_s: wall time in seconds, on one thread; None where unknown.
        invocation: number of the manifest's invocation that made it.
    """

    codec: str
    rate_point: str
    image: str
    image_id: int
    width: int
    height: int
    bytes: int
    sha256: str
    decoded_sha256: str = ""
    detections: int
    detections_sha256: str = ""
    setting: str | None = None
    qualities: dict[str, float | None] = msgspec.field(default_factory=dict)
    encode_s: float | None = None
    decode_s: float | None = None
    analysis_s: float | None = None
    invocation: int = 0

    @property
    def key(self) -> Key:
        """Return codec, rate point and image."""
        return self.codec, self.rate_point, self.image

    @property
    def bpp(self) -> float:
        """Return the rate in bits per pixel of this image."""
        return 8 * self.bytes / (self.width * self.height)


def parse_record(line: str) -> Record | None:
    """Return the record that a line holds; None if it holds none that this version knows."""
    values = whole_values(line)
    if values is None:
        return None
    try:
        # a dictionary in the class, one name each in the line: a new quality changes no format
        qualities = {name: values.pop(name) for name in IMAGE_QUALITIES if name in values}
        return read_entry(Record, {**values, "qualities": qualities})
    except ValueError:
        return None


def record_line(record: Record) -> str:
    """Return the line of a record, with its end.

    Its last entry is the check by which `whole_values` tells a line that was damaged since.
    """
    values: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name in ("qualities", "unknown"):
            values |= value
        elif value is not None:
            values[name] = value
    return json.dumps(values | {_CHECK: _check(values)}, allow_nan=False) + "\n"


def whole_values(line: str) -> dict[str, Any] | None:
    """Return the entries of a line without its check; None if the line is not as it was written.

    A line without a check, as former versions wrote it, is taken as it is.
    """
    try:
        values = json.loads(line)
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    check = values.pop(_CHECK, None)
    return values if check is None or check == _check(values) else None


def _check(values: Mapping[str, Any]) -> str:
    """A digest of a line's other entries, in whatever order."""
    text = json.dumps({key: values[key] for key in sorted(values) if key != _CHECK})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def finite(value: float) -> float | None:
    """Return a number for a record: None for infinity and NaN, which JSON does not have."""
    return value if math.isfinite(value) else None


def replaced(record: Record, **changes: Any) -> Record:
    """Return a record with some fields changed."""
    return msgspec.structs.replace(record, **changes)
