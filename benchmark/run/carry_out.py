"""Carry out jobs on a runner, detect on a device, and keep what comes in the run folder."""

from __future__ import annotations

import functools
import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from benchmark.analysis import open_analysis
from benchmark.run.detection_thread import Detected, DetectionThreads
from benchmark.run.device import all_devices, exact_arithmetic
from benchmark.run.jobs import Job, JobResult, do_job
from benchmark.run.record import Record, replaced
from benchmark.run.run_folder import RunFolder
from benchmark.runner import Failed, Finished, Outcome, Runner

JobOutcome = Outcome[Job, JobResult]

OnProgress = Callable[[int, int], None]
"""Is told how many jobs are done, and of how many, when the first and whenever one ends."""

OnImage = Callable[[Collection[str]], None]
"""Is told the names of the images that lack results still, whenever another one has all."""

_NAMED_FAILURES = 3
_MOST_WAITING = 16
"""Decoded images that wait for the analysis network at most."""

_log = logging.getLogger("benchmark")


@dataclass
class RunOutcome:
    """What a run did.

    Attributes:
        finished: number of jobs that were carried out.
        reused: number of jobs that an earlier run had carried out.
        failures: the reasons of the failed jobs, by codec.
        work_s: sum of the times of encoding, decoding, analysis and comparing, in seconds.
        workers: number of jobs that were worked on at once.
        peak_memory: that of the largest worker, in bytes.
    """

    finished: int = 0
    reused: int = 0
    failures: dict[str, list[str]] = field(default_factory=dict)
    work_s: float = 0.0
    workers: int = 1
    peak_memory: int = 0


def waiting_jobs(jobs: Sequence[Job], trusted: Iterable[Record]) -> list[Job]:
    """Return the jobs of which no trusted record holds the result."""
    done = {record.key for record in trusted}
    return [job for job in jobs if job.key not in done]


def carry_out(
    waiting: Sequence[Job],
    folder: RunFolder,
    runner: Runner,
    device: str = "cpu",
    reused: int = 0,
    limit_s: float | None = None,
    on_progress: OnProgress = lambda done, jobs: None,
    on_image: OnImage = lambda left: None,
) -> RunOutcome:
    """Carry out jobs whose results the run folder does not hold yet.

    A failed job is named in the log and does not stop the others.

    Args:
        waiting: with the same analysis network.
        folder: takes the results.
        runner: works on the jobs.
        device: ``cpu``: the runner detects too, on its processors. Another: this process
            detects there, in batches, while the runner encodes and decodes; on all there are.
        reused: number of jobs whose results the folder holds.
        limit_s: seconds after which a job is given up; None for no limit.
        on_progress: is told of each job that ends.
        on_image: is told of each image of which all jobs have ended, but the last.
    """
    outcome = RunOutcome(reused=reused, workers=runner.workers)
    done, jobs = reused, reused + len(waiting)
    on_progress(done, jobs)
    left = Counter(job.picture.name for job in waiting)
    for ended in _outcomes(waiting, runner, device, limit_s):
        if isinstance(ended, Failed):
            _note_failure(outcome.failures, ended)
        else:
            result = ended.result
            folder.add(result.record, result.bitstream, result.detections)
            outcome.finished += 1
            outcome.work_s += _seconds(ended.task, result)
            outcome.peak_memory = max(outcome.peak_memory, result.peak_memory)
        done += 1
        on_progress(done, jobs)
        name = ended.task.picture.name
        left[name] -= 1
        if not left[name]:
            del left[name]
            if left:
                on_image(left)
    if waiting:
        folder.mend()
    return outcome


def _outcomes(
    waiting: Sequence[Job], runner: Runner, device: str, limit_s: float | None
) -> Iterator[JobOutcome]:
    analysis = waiting[0].analysis if waiting else None
    if analysis is None or device == "cpu":
        yield from runner.run(functools.partial(do_job, limit_s=limit_s), waiting)
        return
    exact_arithmetic()
    networks = [
        open_analysis(analysis, device=its, categories=waiting[0].categories)
        for its in all_devices(device)
    ]
    with DetectionThreads(networks) as threads:
        code = functools.partial(do_job, detect=False, limit_s=limit_s)
        yield from detected(runner.run(code, waiting), threads)


def detected(outcomes: Iterable[JobOutcome], threads: DetectionThreads) -> Iterator[JobOutcome]:
    """Yield jobs' outcomes as soon as a thread has looked at their decoded images."""
    looked_at: deque[tuple[Finished[Job, JobResult], Future[Detected]]] = deque()
    for outcome in outcomes:
        if isinstance(outcome, Failed) or outcome.result.decoded is None:
            yield outcome
            continue
        looked_at.append((outcome, threads.detect(outcome.result.decoded)))
        while looked_at and (looked_at[0][1].done() or len(looked_at) > _MOST_WAITING):
            yield _with_detections(*looked_at.popleft())
    for coded, found in looked_at:
        yield _with_detections(coded, found)


def _with_detections(coded: Finished[Job, JobResult], found: Future[Detected]) -> JobOutcome:
    outcome, seconds = found.result()
    if isinstance(outcome, Failed):
        return Failed(coded.task, outcome.reason)
    record = replaced(
        coded.result.record, detections=len(outcome.result), analysis_s=round(seconds, 4)
    )
    detections = outcome.result
    return Finished(coded.task, replace(coded.result, record=record, detections=detections))


def _seconds(job: Job, result: JobResult) -> float:
    """What the job took; an encoding that was taken from another run took nothing now."""
    record = result.record
    encode_s = 0.0 if job.encoded else record.encode_s
    times = (encode_s, record.decode_s, record.analysis_s, result.rating_s)
    return sum(its or 0.0 for its in times)


def _note_failure(failures: dict[str, list[str]], failed: Failed[Job]) -> None:
    """Note a failure, and name the first of each codec at once."""
    codec, rate_point, image = failed.task.key
    reasons = failures.setdefault(codec, [])
    if len(reasons) < _NAMED_FAILURES:
        _log.warning("failed: %s %s %s: %s", codec, rate_point, image, failed.reason)
    reasons.append(failed.reason)
