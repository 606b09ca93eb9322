"""The pictures of a run: originals, what codecs made of them, and what was detected in them."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from threading import Lock

from benchmark import coding
from benchmark.analysis.analysis_network import Detection
from benchmark.codec import Codec, open_codec
from benchmark.datasets.dataset import Instance, Picture, read_image
from benchmark.errors import CodecUnavailable, UsageError
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.image import Image
from benchmark.run.jobs import pixels_hash
from benchmark.run.record import UNCOMPRESSED, Key, Record

SHOWN_SCORE = 0.5
"""Detections below this score are not drawn."""

_LONGEST_ENCODING_S = 30.0


class NotAvailable(Exception):
    """A picture cannot be had here; the message is one line that says why."""


class RunPictures:
    """Gives the pictures of a run folder, decoding its bitstreams with the codecs that run here.

    Bitstreams that the folder lacks (a published run) are taken from ``CODEC-bitstreams*.tar.xz``
    in it, or made again.
    """

    def __init__(self, run: OpenedRun) -> None:
        """Take the records of a run.

        Raises:
            UsageError: if the data set of the run is missing.
        """
        self.run = run
        self.records: Mapping[Key, Record] = {record.key: record for record in run.records}
        self.dataset = run.dataset
        self._codecs: dict[str, Codec | NotAvailable] = {}
        self._archived: dict[str, dict[str, bytes]] = {}
        self._detections: dict[tuple[str, str], dict[int, list[Detection]]] = {}
        self._lock = Lock()

    def picture(self, name: str) -> Picture:
        """Return the image called ``name``, as the run had it.

        Raises:
            UsageError: if the run does not have it, or the data set's is another one now.
        """
        if name not in self.run.pictures:
            known = ", ".join(list(self.run.pictures)[:3])
            raise UsageError(f"the run has no image {name!r}: it has {known}, ...")
        self.run.check([name])
        return self.run.pictures[name]

    def instances(self, name: str) -> list[Instance]:
        """The annotated objects of an image."""
        return self.dataset.instances(self.picture(name))

    def original(self, name: str) -> Image:
        """An image before compression."""
        return read_image(self.picture(name).path)

    def decoded(self, record: Record) -> Image:
        """What a codec made of an image; safe to be called from several threads.

        Raises:
            NotAvailable: if it cannot be had here.
        """
        try:
            if record.codec == UNCOMPRESSED:
                return self.original(record.image)
            with self._lock:
                codec = self.codec(record.codec)
                bitstream = self._kept(record)
            point = codec.rate_point(record.rate_point)
            coding.prepare(codec, point)
            if bitstream is None:
                if (record.encode_s or 0) > _LONGEST_ENCODING_S:
                    raise NotAvailable(
                        f"{'/'.join(record.key)}: its bitstream is not in the run folder, and "
                        f"making it again takes {record.encode_s:.0f} s"
                    )
                bitstream = coding.encode(codec, self.original(record.image), point).bitstream
            if hashlib.sha256(bitstream).hexdigest() != record.sha256:
                raise NotAvailable(
                    f"{'/'.join(record.key)}: the bitstream is not that of the run's record"
                )
            size = record.height, record.width
            decoded = coding.decode(codec, bitstream, size, point.scale)
            if record.decoded_sha256 and pixels_hash(decoded) != record.decoded_sha256:
                raise NotAvailable(
                    f"{'/'.join(record.key)}: it is not decoded to the pixels of the run's record"
                )
            return decoded
        except NotAvailable:
            raise
        except Exception as error:  # an adapter may raise anything
            raise NotAvailable(f"{'/'.join(record.key)}: {first_line(error)}") from error

    def detections(self, record: Record) -> Sequence[Detection]:
        """What the analysis network found in a decoded image."""
        key = record.codec, record.rate_point
        if key not in self._detections:
            self._detections[key] = self.run.folder.detections(*key)
        return self._detections[key].get(record.image_id, [])

    def codec(self, name: str) -> Codec:
        """A codec of the run, with the options that it had.

        Raises:
            NotAvailable: if it cannot run here.
        """
        if name not in self._codecs:
            options = self.options(name)
            try:
                self._codecs[name] = open_codec(name, options)
            except (CodecUnavailable, UsageError) as error:
                self._codecs[name] = NotAvailable(f"{name} cannot run here: {first_line(error)}")
        codec = self._codecs[name]
        if isinstance(codec, NotAvailable):
            raise codec
        return codec

    def options(self, name: str) -> Mapping[str, str]:
        """Return the options that a codec of the run had."""
        entry = self.run.manifest.codecs.get(name)
        return entry.options if entry else {}

    def _kept(self, record: Record) -> bytes | None:
        """The bitstream that the run folder holds, if it does."""
        file = self.run.folder.bitstream(record)
        if file.is_file():
            return file.read_bytes()
        if record.codec not in self._archived:
            self._archived[record.codec] = self._unpacked(record.codec)
        return self._archived[record.codec].get("/".join(record.key))

    def _unpacked(self, codec: str) -> dict[str, bytes]:
        found = {}
        for archive in sorted(self.run.folder.path.glob(f"{codec}-bitstreams*.tar.xz")):
            with tarfile.open(archive) as files:
                for member in files:
                    if (content := files.extractfile(member)) is not None:
                        found[member.name] = content.read()
        return found


def first_line(error: Exception) -> str:
    """An error's message, cut to its first line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
