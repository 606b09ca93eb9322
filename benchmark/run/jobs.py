"""Jobs: one image at one rate point of one codec, coded, decoded, measured."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark import coding
from benchmark.analysis import open_analysis
from benchmark.analysis.analysis_network import AnalysisNetwork, Detection
from benchmark.codec import Codec, RatePoint, new_codec, open_codec
from benchmark.datasets.dataset import Category, Picture, read_image
from benchmark.image import Image
from benchmark.metrics.qualities import measurable
from benchmark.run.record import UNCOMPRESSED, Key, Record, finite
from benchmark.system.memory import peak_memory, resident_memory
from benchmark.system.time_limit import time_limit

ORIGINAL = RatePoint("bits", 24)
"""The rate point of the original images: three times 8 bits a pixel."""

_MOST_KEPT = 2_400_000_000
"""Bytes of memory at which a worker forgets the codecs that it has opened.

An NCN of the paper's size takes 130 MB at each rate point, for encoding and again for decoding; to
code an image of 2048 x 1024 with it takes 1.3 GB more. The four neural codecs on Miniscapes take
1.5 GB, with four rate points each.
"""


@dataclass(frozen=True)
class CodecChoice:
    """A codec of a run, with its options and the rate points that were chosen.

    Attributes:
        kind: the class, of a codec that is no plug-in but was handed over.
    """

    name: str
    options: tuple[tuple[str, str], ...]
    rate_points: tuple[RatePoint, ...]
    kind: type[Codec] | None = None

    def open(self) -> Codec:
        """Return a new codec object.

        Raises:
            UsageError, CodecUnavailable: as `open_codec`.
        """
        options = dict(self.options)
        return new_codec(self.kind, options) if self.kind else open_codec(self.name, options)


@dataclass(frozen=True)
class Encoded:
    """A bitstream file that another run made, the seconds that encoding took, and the setting.

    ``bitstream`` is the file's content, where the job brings it along.
    """

    file: Path
    encode_s: float | None
    setting: str | None
    bitstream: bytes | None = None


@dataclass(frozen=True)
class Job:
    """One image at one rate point of one codec; without a codec, the original image.

    Attributes:
        picture: the image, with its number in the run folder.
        analysis: the analysis network's spec; None where only images are compared.
        categories: the data set's, whose ids the detections get.
        invocation: the number of the manifest's invocation that asks for it.
        encoded: an encoding of the same image by the same codec, to be taken instead.
        image_file: the content of the picture's file, where the worker does not see it; else None.
    """

    codec: CodecChoice | None
    rate_point: RatePoint
    picture: Picture
    analysis: str | None
    categories: tuple[Category, ...] = ()
    invocation: int = 0
    encoded: Encoded | None = None
    image_file: bytes | None = field(default=None, repr=False)

    @property
    def key(self) -> Key:
        """Return codec, rate point and image, as the record has them."""
        codec = self.codec.name if self.codec else UNCOMPRESSED
        return codec, self.rate_point.name, self.picture.name


@dataclass(frozen=True)
class JobResult:
    """What a worker hands to the main process, which alone writes to the run folder.

    Attributes:
        record: the measurements.
        bitstream: what was made; None for the original image.
        detections: what the analysis network found.
        decoded: the decoded image, where the analysis network has yet to see it; else None.
        rating_s: seconds that comparing the images took, which no record holds.
        peak_memory: the worker's so far, in bytes.
    """

    record: Record
    bitstream: bytes | None
    detections: Sequence[Detection]
    decoded: Image | None
    rating_s: float
    peak_memory: int


def plan_jobs(
    codecs: Sequence[CodecChoice], pictures: Sequence[Picture], analysis: str | None
) -> list[Job]:
    """Return all jobs of a run, image by image.

    So the first images show what every kind of job takes, and a run that is stopped has measured
    all codecs on the same images.
    """
    jobs = []
    for picture in pictures:
        jobs.append(Job(None, ORIGINAL, picture, analysis))
        jobs += [
            Job(codec, rate_point, picture, analysis)
            for codec in codecs
            for rate_point in codec.rate_points
        ]
    return jobs


def do_job(job: Job, detect: bool = True, limit_s: float | None = None) -> JobResult:
    """Encode, decode in another codec object, and measure one image.

    The decoder gets the bytes whose hash the record holds: the run folder's file is checked
    against it. Without ``detect`` the decoded image is handed over to be looked at.

    Raises:
        TimeLimitExceeded: after ``limit_s`` seconds of the clock.
    """
    # a local worker leads its process group, with the programs that it starts; others do not
    with time_limit(limit_s, end_process=os.getpgrp() == os.getpid()):
        return _do_job(job, detect)


def _do_job(job: Job, detect: bool) -> JobResult:
    if resident_memory() > _MOST_KEPT:
        _codec.cache_clear()
    image = _image(job)
    analysis = _analysis(job.analysis, job.categories) if job.analysis and detect else None
    if job.codec is None:
        coded = _Coded(None, None, image, 0.0, 0.0)
    else:
        coded = _code(job.codec, job.rate_point, image, job.encoded)
    started = time.perf_counter()
    detections = analysis.detect([coded.decoded])[0] if analysis else []
    analysis_s = time.perf_counter() - started
    started = time.perf_counter()
    qualities = _compare(image, coded.decoded)
    rating_s = time.perf_counter() - started
    codec, rate_point, name = job.key
    height, width = image.shape[:2]
    record = Record(
        codec=codec,
        rate_point=rate_point,
        image=name,
        image_id=job.picture.id,
        width=width,
        height=height,
        bytes=image.size if coded.bitstream is None else len(coded.bitstream),
        sha256="" if coded.bitstream is None else hashlib.sha256(coded.bitstream).hexdigest(),
        decoded_sha256=pixels_hash(coded.decoded),
        detections=len(detections),
        setting=coded.setting,
        qualities=qualities,
        encode_s=None if coded.encode_s is None else round(coded.encode_s, 4),
        decode_s=round(coded.decode_s, 4),
        analysis_s=round(analysis_s, 4),
        invocation=job.invocation,
    )
    handed_over = coded.decoded if job.analysis and not detect else None
    return JobResult(record, coded.bitstream, detections, handed_over, rating_s, peak_memory())


def _image(job: Job) -> Image:
    if job.image_file is None:
        return _last_image(job.picture.path)
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        file = Path(folder, job.picture.path.name)
        file.write_bytes(job.image_file)
        return read_image(file)


def open_analysis_once(spec: str, categories: tuple[Category, ...]) -> None:
    """Load the analysis network that all jobs of a run use: a worker keeps it."""
    _analysis(spec, categories)


def rating_s(picture: Picture) -> float:
    """Return the seconds that reading and comparing an image take, which no record holds."""
    started = time.perf_counter()
    image = read_image(picture.path)
    _compare(image, image)
    return time.perf_counter() - started


def pixels_hash(image: Image) -> str:
    """Return the SHA-256 of an image's pixels, row by row, RGB."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def _compare(original: Image, decoded: Image) -> dict[str, float | None]:
    return {its.column: finite(its.compare(original, decoded)) for its in measurable()}


@dataclass(frozen=True)
class _Coded:
    bitstream: bytes | None
    setting: str | None
    decoded: Image
    encode_s: float | None
    decode_s: float


def _code(
    choice: CodecChoice, rate_point: RatePoint, image: Image, encoded: Encoded | None
) -> _Coded:
    encode_s: float | None
    if encoded:
        bitstream = encoded.bitstream or encoded.file.read_bytes()
        coded = coding.Coded(bitstream, encoded.setting)
        encode_s = encoded.encode_s
    else:
        encoder = _codec("encoder", choice)
        coding.prepare(encoder, rate_point)
        started = time.perf_counter()
        coded = coding.encode(encoder, image, rate_point)
        encode_s = time.perf_counter() - started
    decoder = _codec("decoder", choice)
    coding.prepare(decoder, rate_point)
    started = time.perf_counter()
    height, width = image.shape[:2]
    decoded = coding.decode(decoder, coded.bitstream, (height, width), rate_point.scale)
    decode_s = time.perf_counter() - started
    return _Coded(coded.bitstream, coded.setting, decoded, encode_s, decode_s)


@functools.lru_cache(1)
def _last_image(file: Path) -> Image:
    """An image, read once for all its rate points: jobs come image by image. Not to be changed."""
    image = read_image(file)
    image.flags.writeable = False
    return image


@functools.cache
def _codec(role: str, choice: CodecChoice) -> Codec:
    """One codec object for each role: the decoder has never seen an original image."""
    return choice.open()


@functools.cache
def _analysis(spec: str, categories: tuple[Category, ...]) -> AnalysisNetwork:
    return open_analysis(spec, categories=categories)
