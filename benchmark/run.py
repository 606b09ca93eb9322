"""Codecs x rate points x images -> records."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmark.analysis import open_analysis
from benchmark.analysis.apart import DetectionApart, own_device
from benchmark.analysis.network import AnalysisNetwork, Detection
from benchmark.codec import Codec, Image, RatePoint, open_codec, with_even_sides
from benchmark.datasets.dataset import Picture, read_image
from benchmark.errors import UsageError
from benchmark.machine import peak_memory
from benchmark.metrics.quality import multi_scale_ssim, psnr
from benchmark.programs import memory_of
from benchmark.runner import Failed, Finished, Outcome, Runner
from benchmark.store import UNCOMPRESSED, Record, RunFolder, finite

ORIGINAL = RatePoint("bits", 24)
"""The rate point of the original images: three times 8 bits a pixel."""

_NAMED_FAILURES = 3

_MOST_KEPT = 2_400_000_000
"""Bytes of memory at which a worker forgets the codecs that it has opened.

An NCN of the paper's size takes 130 MB at each rate point, for encoding and again for decoding; to
code an image of 2048 x 1024 with it takes 1.3 GB more. The four neural codecs on Miniscapes take
1.5 GB, with four rate points each.
"""


@dataclass(frozen=True)
class CodecChoice:
    """A codec of a run, with its options and the rate points that were chosen."""

    name: str
    options: tuple[tuple[str, str], ...]
    rate_points: tuple[RatePoint, ...]


@dataclass(frozen=True)
class Encoded:
    """A bitstream file that another run made, and the seconds that it took."""

    file: Path
    encode_s: float


@dataclass(frozen=True)
class Job:
    """One image at one rate point of one codec; without a codec, the original image.

    Attributes:
        analysis: the analysis network's name; None where only PSNR and MS-SSIM are measured.
        encoded: an encoding of the same image by the same codec, to be taken instead.
    """

    codec: CodecChoice | None
    rate_point: RatePoint
    picture: Picture
    analysis: str | None
    encoded: Encoded | None = None

    @property
    def key(self) -> tuple[str, str, str]:
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
        peak_memory: the worker's so far, in bytes (`benchmark.machine.peak_memory`).
    """

    record: Record
    bitstream: bytes | None
    detections: Sequence[Detection]
    decoded: Image | None
    peak_memory: int


@dataclass
class Progress:
    """What a run did.

    Attributes:
        finished: number of jobs that were carried out.
        reused: number of jobs that an earlier run had carried out.
        failures: the reasons of the failed jobs, by codec.
        work_s: sum of the times of encoding, decoding and analysis in seconds.
        workers: number of jobs that were worked on at once.
        peak_memory: that of the largest worker, in bytes.
    """

    finished: int = 0
    reused: int = 0
    failures: dict[str, list[str]] = field(default_factory=dict)
    work_s: float = 0.0
    workers: int = 1
    peak_memory: int = 0


def plan_jobs(
    codecs: Sequence[CodecChoice], pictures: Sequence[Picture], analysis: str | None
) -> list[Job]:
    """All jobs of a run, image by image.

    So the first images show what every kind of job takes, and a run that is stopped has judged
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


def carry_out(
    jobs: Sequence[Job], folder: RunFolder, runner: Runner, device: str | None = None
) -> Progress:
    """Carries out the jobs that the run folder does not hold yet.

    A failed job is named on standard error and does not stop the others.

    Args:
        jobs: with the same analysis network.
        folder: takes the results.
        runner: works on the jobs.
        device: where this process detects, in batches, while the runner encodes and decodes.
            None takes CUDA where there is a device; without one the runner detects too, on its
            processors.
    """
    done = {record.key for record in folder.mend()}
    waiting = [job for job in jobs if job.key not in done]
    progress = Progress(reused=len(jobs) - len(waiting), workers=runner.workers)
    interval = 0.1 if sys.stderr.isatty() else 30
    bar = tqdm(
        total=len(jobs), initial=progress.reused, unit="job", mininterval=interval, smoothing=0
    )

    def keep(outcome: Outcome[Job, JobResult]) -> None:
        if isinstance(outcome, Failed):
            _note_failure(progress.failures, outcome)
        else:
            result = outcome.result
            folder.add(result.record, result.bitstream, result.detections)
            progress.finished += 1
            progress.work_s += _seconds(outcome.task, result.record)
            progress.peak_memory = max(progress.peak_memory, result.peak_memory)
        bar.update()

    with bar, _detection_apart(waiting, device) as detection:
        code = functools.partial(do_job, detect=detection is None)
        for outcome in runner.run(code, waiting):
            if detection and isinstance(outcome, Finished) and outcome.result.decoded is not None:
                then = functools.partial(_judged, outcome, keep)
                detection.detect(outcome.result.decoded, then)
            else:
                keep(outcome)
    if waiting:
        folder.mend()
    return progress


def _detection_apart(
    jobs: Sequence[Job], device: str | None
) -> contextlib.AbstractContextManager[DetectionApart | None]:
    analysis = jobs[0].analysis if jobs else None
    device = (device or own_device()) if analysis else None
    return DetectionApart(analysis, device) if analysis and device else contextlib.nullcontext()


def _judged(
    coded: Finished[Job, JobResult],
    keep: Callable[[Outcome[Job, JobResult]], None],
    found: Outcome[Image, Sequence[Detection]],
    seconds: float,
) -> None:
    """Keeps a job's result with what was found in its decoded image, in so many seconds."""
    if isinstance(found, Failed):
        keep(Failed(coded.task, found.reason))
        return
    result, detections = coded.result, found.result
    record = replace(result.record, detections=len(detections), analysis_s=round(seconds, 4))
    keep(Finished(coded.task, replace(result, record=record, detections=detections)))


def _seconds(job: Job, record: Record) -> float:
    """What the job took; an encoding that was taken from another run took nothing now."""
    encode_s = 0.0 if job.encoded else record.encode_s
    return encode_s + record.decode_s + record.analysis_s


def do_job(job: Job, detect: bool = True) -> JobResult:
    """Encodes, decodes in another codec object, and judges one image.

    Without `detect` the decoded image is handed over to be judged.
    """
    if memory_of("self") > _MOST_KEPT:
        _codec.cache_clear()
    image = read_image(job.picture.path)
    analysis = _analysis(job.analysis) if job.analysis and detect else None
    if job.codec is None:
        coded = _Coded(None, image, 0.0, 0.0)
    else:
        coded = _code(job.codec, job.rate_point, image, job.encoded)
    started = time.perf_counter()
    detections = analysis.detect([coded.decoded])[0] if analysis else []
    analysis_s = time.perf_counter() - started
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
        decoded_sha256=hashlib.sha256(coded.decoded.tobytes()).hexdigest(),
        detections=len(detections),
        psnr=finite(psnr(image, coded.decoded)),
        ms_ssim=finite(multi_scale_ssim(image, coded.decoded)),
        encode_s=round(coded.encode_s, 4),
        decode_s=round(coded.decode_s, 4),
        analysis_s=round(analysis_s, 4),
    )
    handed_over = coded.decoded if job.analysis and not detect else None
    return JobResult(record, coded.bitstream, detections, handed_over, peak_memory())


def rating_s(picture: Picture) -> float:
    """Seconds that a job takes beside those in its record: for reading and rating an image."""
    started = time.perf_counter()
    image = read_image(picture.path)
    psnr(image, image)
    multi_scale_ssim(image, image)
    return time.perf_counter() - started


@dataclass(frozen=True)
class _Coded:
    bitstream: bytes | None
    decoded: Image
    encode_s: float
    decode_s: float


def _code(
    choice: CodecChoice, rate_point: RatePoint, image: Image, encoded: Encoded | None
) -> _Coded:
    height, width = image.shape[:2]
    image = with_even_sides(image)
    if encoded:
        bitstream, encode_s = encoded.file.read_bytes(), encoded.encode_s
    else:
        encoder = _codec("encoder", choice.name, choice.options)
        encoder.prepare(rate_point)
        started = time.perf_counter()
        bitstream = encoder.encode(image, rate_point)
        encode_s = time.perf_counter() - started
    if not bitstream:
        raise UsageError(f"codec {choice.name} made an empty bitstream")
    decoder = _codec("decoder", choice.name, choice.options)
    decoder.prepare(rate_point)
    started = time.perf_counter()
    decoded = decoder.decode(bitstream)
    decode_s = time.perf_counter() - started
    if decoded.shape != image.shape or decoded.dtype != image.dtype:
        raise UsageError(
            f"codec {choice.name} decoded {image.dtype} of shape {image.shape} "
            f"as {decoded.dtype} of shape {decoded.shape}"
        )
    return _Coded(bitstream, np.ascontiguousarray(decoded[:height, :width]), encode_s, decode_s)


@functools.cache
def _codec(role: str, name: str, options: tuple[tuple[str, str], ...]) -> Codec:
    """One codec object a role: the decoder has never seen an original image."""
    return open_codec(name, dict(options))


@functools.cache
def _analysis(name: str) -> AnalysisNetwork:
    return open_analysis(name)


def _note_failure(failures: dict[str, list[str]], failed: Failed[Job]) -> None:
    """Notes a failure, and names the first of each codec at once."""
    codec, rate_point, image = failed.task.key
    reasons = failures.setdefault(codec, [])
    if len(reasons) < _NAMED_FAILURES:
        tqdm.write(f"failed: {codec} {rate_point} {image}: {failed.reason}", file=sys.stderr)
    reasons.append(failed.reason)
