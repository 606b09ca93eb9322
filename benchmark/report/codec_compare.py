"""Results image by image in the format of codec-compare, webmproject's viewer of measurements."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from benchmark.evaluation.opened_run import OpenedRun
from benchmark.metrics.qualities import IMAGE_QUALITIES, Quality
from benchmark.run.record import UNCOMPRESSED, Record

BATCHES = "batches.json"
"""The list of all files, which the viewer opens by ``index.html?load=``."""

_NAMES = {"ms_ssim": "msssim"}
"""The viewer's names of qualities where they are others than those of our columns."""

_Column = tuple[str, str, Sequence[object]]
"""Name, description, and the value of each record."""


def codec_compare_files(run: OpenedRun) -> dict[str, str]:
    """Return the contents of a JSON file per codec and of the list of these files, by file name.

    The viewer compares codecs by pairs of results of the same image that have, for example, nearly
    the same PSNR. All rate points of a codec are therefore the rows of one file; the column
    ``quality`` tells them apart.

    An image that was decoded exactly has the PSNR of one wrong sample, as in the tables. A column
    that lacks the value of some row is left out, as the viewer would read it as 0.

    Args:
        run: the run, of which all records are written but those of the original images.
    """
    codecs: dict[str, list[Record]] = {}
    for record in run.records:
        if record.codec != UNCOMPRESSED:
            codecs.setdefault(record.codec, []).append(record)
    if not codecs:
        return {}  # the viewer takes no empty list
    contents = {f"{codec}.json": _batch(run, codec, its) for codec, its in codecs.items()}
    return {name: _text(content) for name, content in contents.items()} | {
        BATCHES: _text([[name] for name in contents])
    }


def _batch(run: OpenedRun, codec: str, records: Sequence[Record]) -> dict[str, object]:
    brought = [made for made in run.manifest.invocations if codec in made.codecs]
    identity: dict[str, object] = {}
    if brought:
        entry = run.manifest.codecs[codec]
        identity = {**entry.identity, **entry.identity_at}
    constants = [
        ("name", "codec as the benchmark calls it, and its data set",
         f"{codec}, {run.manifest.dataset.spec}"),
        ("codec", "codec as the benchmark calls it", codec),
        ("version", "all that changes the codec's bits",
         ", ".join(f"{name} {value}" for name, value in identity.items())),
        ("time", "start of the last command that brought rate points of the codec, UTC",
         brought[-1].started if brought else ""),
    ]  # fmt: skip
    columns = [its for its in _columns(records) if None not in its[2]]
    return {
        "constant_descriptions": [{name: about} for name, about, _ in constants],
        "constant_values": [value for _, _, value in constants],
        "field_descriptions": [{name: about} for name, about, _ in columns],
        "field_values": list(zip(*(values for _, _, values in columns), strict=True)),
    }


def _columns(records: Sequence[Record]) -> Iterable[_Column]:
    yield "original_name", "image", [its.image for its in records]
    yield "width", "pixels in a row", [its.width for its in records]
    yield "height", "rows of pixels", [its.height for its in records]
    yield "quality", "rate point", [its.rate_point for its in records]
    for column, quality in IMAGE_QUALITIES.items():
        name = _NAMES.get(column, column)
        yield name, quality.title(), [_value(its, column, quality) for its in records]
    yield "encoded_size", "bytes of the bitstream", [its.bytes for its in records]
    yield "bpp", "bits per pixel", [its.bpp for its in records]
    yield "encoding_time", "seconds, on one thread", [its.encode_s for its in records]
    yield "decoding_time", "seconds, on one thread", [its.decode_s for its in records]


def _value(record: Record, column: str, quality: Quality) -> float | None:
    value = record.qualities.get(column)
    if value is None and column in record.qualities and quality.exact:
        return quality.exact(3 * record.width * record.height)
    return value


def _text(content: object) -> str:
    return json.dumps(content, indent=1, allow_nan=False) + "\n"
