"""Code an image of a run folder again, to see whether a codec still is what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from benchmark import coding
from benchmark.codec import Codec
from benchmark.datasets.dataset import Picture, read_image
from benchmark.run.jobs import pixels_hash
from benchmark.run.record import Record
from benchmark.run.run_folder import RunFolder

_LONGEST_ENCODING_S = 60.0


def same_bits(
    codec: Codec, folder: RunFolder, records: Sequence[Record], pictures: Mapping[str, Picture]
) -> str:
    """Return how a codec's bits differ from those in a run folder; empty where they do not.

    The smallest stored bitstream is decoded, and its image encoded again unless that takes long.
    A folder without a bitstream of the codec has nothing that could differ.

    Args:
        codec: as it is now.
        folder: the run folder.
        records: of the folder.
        pictures: the images of the data set by name.
    """
    own = [its for its in records if its.codec == codec.name and its.image in pictures]
    for record in sorted(own, key=lambda its: its.bytes):
        bitstream = folder.stored_bitstream(record)
        if bitstream is None:
            continue
        where = "/".join(record.key)
        try:
            point = codec.rate_point(record.rate_point)
            coding.prepare(codec, point)
            size = record.height, record.width
            decoded = coding.decode(codec, bitstream, size, point.scale)
            if pixels_hash(decoded) != record.decoded_sha256:
                return f"it decodes {where} to other pixels"
            if (record.encode_s or 0) <= _LONGEST_ENCODING_S:
                again = coding.encode(codec, read_image(pictures[record.image].path), point)
                if hashlib.sha256(again.bitstream).hexdigest() != record.sha256:
                    return f"it encodes {where} to other bits"
        except Exception as error:  # an adapter may raise anything
            return f"it cannot code {where} again ({error})"
        return ""
    return ""
