"""The pictures of a run: originals, what codecs made of them, and what was detected in them."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock

from benchmark.analysis.network import Detection
from benchmark.codec import Codec, CodecUnavailable, Image, open_codec, with_even_sides
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import Dataset, Instance, Picture, fingerprint, read_image
from benchmark.errors import UsageError
from benchmark.store import UNCOMPRESSED, Record, RunFolder

_LONGEST_ENCODING_S = 30.0


class NotAvailable(Exception):
    """A picture cannot be had here; the message is one line that says why."""


class RunPictures:
    """Gives the pictures of a run folder, decoding its bitstreams with the codecs that run here.

    Bitstreams that the folder lacks (a published run) are taken from ``CODEC-bitstreams.tar.xz``
    in it, or made again.
    """

    def __init__(self, folder: RunFolder) -> None:
        """Reads the records.

        Raises:
            UsageError: if the folder holds no run, or its data set is missing.
        """
        self.folder = folder
        self.manifest = folder.manifest()
        if not self.manifest:
            raise UsageError(f"{folder.path} is not a run folder")
        self.records: Mapping[tuple[str, str, str], Record] = {
            record.key: record for record in folder.records()
        }
        self.dataset: Dataset = open_dataset(self.manifest["dataset"]["spec"])
        self._codecs: dict[str, Codec | NotAvailable] = {}
        self._archived: dict[str, dict[str, bytes]] = {}
        self._detections: dict[tuple[str, str], dict[int, list[Detection]]] = {}
        self._checked: set[str] = set()
        self._lock = Lock()

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """The run's images by name."""
        names = {name for _, _, name in self.records}
        return {picture.name: picture for picture in self.dataset.pictures if picture.name in names}

    def picture(self, name: str) -> Picture:
        """The image called ``name``, as the run had it.

        Raises:
            UsageError: if the run does not have it, or the data set's is another one now.
        """
        if name not in self.pictures:
            known = ", ".join(list(self.pictures)[:3])
            raise UsageError(f"the run has no image {name!r}: it has {known}, ...")
        picture = self.pictures[name]
        if name not in self._checked:
            expected = self.manifest["dataset"]["images"].get(name, {}).get("pixels")
            if fingerprint(self.dataset, picture).pixels != expected:
                raise UsageError(f"image {name} of the data set is not the one that the run had")
            self._checked.add(name)
        return picture

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
            if bitstream is None:
                if record.encode_s > _LONGEST_ENCODING_S:
                    raise NotAvailable(
                        f"{'/'.join(record.key)}: its bitstream is not in the run folder, and "
                        f"making it again takes {record.encode_s:.0f} s"
                    )
                point = codec.rate_point(record.rate_point)
                bitstream = codec.encode(with_even_sides(self.original(record.image)), point)
            if hashlib.sha256(bitstream).hexdigest() != record.sha256:
                raise NotAvailable(
                    f"{'/'.join(record.key)}: the bitstream is not that of the run's record"
                )
            return codec.decode(bitstream)[: record.height, : record.width]
        except NotAvailable:
            raise
        except Exception as error:  # an adapter may raise anything
            raise NotAvailable(f"{'/'.join(record.key)}: {first_line(error)}") from error

    def detections(self, record: Record) -> Sequence[Detection]:
        """What the analysis network found in a decoded image."""
        key = record.codec, record.rate_point
        if key not in self._detections:
            self._detections[key] = self.folder.detections(*key)
        return self._detections[key].get(record.image_id, [])

    def codec(self, name: str) -> Codec:
        """A codec of the run, with the options that it had.

        Raises:
            NotAvailable: if it cannot run here.
        """
        if name not in self._codecs:
            options = self.manifest["codecs"].get(name, {}).get("options", {})
            try:
                self._codecs[name] = open_codec(name, options)
            except (CodecUnavailable, UsageError) as error:
                self._codecs[name] = NotAvailable(f"{name} cannot run here: {first_line(error)}")
        codec = self._codecs[name]
        if isinstance(codec, NotAvailable):
            raise codec
        return codec

    def _kept(self, record: Record) -> bytes | None:
        """The bitstream that the run folder holds, if it does."""
        file = self.folder.bitstream(record)
        if file.is_file():
            return file.read_bytes()
        if record.codec not in self._archived:
            self._archived[record.codec] = self._unpacked(record.codec)
        return self._archived[record.codec].get("/".join(record.key))

    def _unpacked(self, codec: str) -> dict[str, bytes]:
        archive = self.folder.path / f"{codec}-bitstreams.tar.xz"
        if not archive.is_file():
            return {}
        with tarfile.open(archive) as files:
            return {
                member.name: content.read()
                for member in files
                if (content := files.extractfile(member)) is not None
            }


def first_line(error: Exception) -> str:
    """An error's message, cut to its first line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
