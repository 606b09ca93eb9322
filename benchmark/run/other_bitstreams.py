"""Take encodings from another run folder, in place of encoding again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from msgspec.structs import replace as replace_entry

from benchmark.codec import Codec
from benchmark.run.agreement import differs, lacks_code
from benchmark.run.jobs import CodecChoice, Encoded, Job
from benchmark.run.manifest import Manifest
from benchmark.run.run_folder import RunFolder
from benchmark.run.same_bits import same_bits

_log = logging.getLogger("benchmark")


def with_encodings(
    jobs: Sequence[Job],
    other: RunFolder,
    manifest: Manifest,
    codecs: Sequence[tuple[CodecChoice, Codec]],
) -> list[Job]:
    """Give each job the encoding that the other run holds of the same image and codec.

    A file that is not the one of its record is not taken, and that is said in the log.

    Args:
        jobs: of this run.
        other: the other run folder.
        manifest: of this run.
        codecs: of this run.

    Raises:
        UsageError: if the other folder holds no run.
    """
    theirs = other.finished_manifest()
    records = {record.key: record for record in other.records()}
    pictures = {job.picture.name: job.picture for job in jobs}
    usable = set()
    for choice, codec in codecs:
        entry = theirs.codecs.get(choice.name)
        if entry is None:
            continue
        own = manifest.codecs[choice.name]
        alike = [
            (choice.name, point)
            for point in entry.rate_points
            if not differs(replace_entry(own, rate_points=[point]), entry)
        ]
        if not alike:
            continue
        if lacks_code(entry) and same_bits(codec, other, list(records.values()), pictures):
            continue
        usable.update(alike)
    given, damaged = [], []
    for job in jobs:
        record = records.get(job.key)
        image = theirs.images.get(job.picture.name)
        if (
            record is not None
            and (record.codec, record.rate_point) in usable
            and image is not None
            and image.pixels == manifest.images[job.picture.name].pixels
        ):
            file = other.bitstream(record)
            if other.stored_bitstream(record) is not None:
                job = replace(job, encoded=Encoded(file, record.encode_s, record.setting))
            elif file.exists():
                damaged.append(file)
        given.append(job)
    if damaged:
        _log.warning(
            "%s and %d more are not the bitstreams of their records: encoded again"
            if len(damaged) > 1 else "%s is not the bitstream of its record: encoded again",
            *([damaged[0], len(damaged) - 1] if len(damaged) > 1 else damaged),
        )  # fmt: skip
    return given
