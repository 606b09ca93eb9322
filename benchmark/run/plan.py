"""What a run will take, from one image that is coded and measured for real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmark.errors import UsageError
from benchmark.run.carry_out import OnProgress
from benchmark.run.experiment import Experiment, prepare
from benchmark.run.jobs import rating_s
from benchmark.run.perform import perform
from benchmark.run.record import UNCOMPRESSED, Record
from benchmark.runner import Failed


@dataclass(frozen=True)
class Plan:
    """What a run will take.

    Attributes:
        table: a line a codec and rate point: codec, rate_point, jobs, encode_s, decode_s,
            analysis_s, rating_s (seconds a job), hours (of one core, all jobs), gigabytes (of
            bitstreams).
        jobs: number of jobs.
        core_hours: of all jobs together.
        gigabytes: of all bitstreams.
        worker_gigabytes: memory of the largest worker; 0 where no job had to be carried out.
        workers: number of jobs that are worked on at once.
    """

    table: pd.DataFrame
    jobs: int
    core_hours: float
    gigabytes: float
    worker_gigabytes: float
    workers: int

    def text(self) -> str:
        """The plan for people, with the hours that it takes on several numbers of workers."""
        hours = ", ".join(
            f"{self.core_hours / number:.1f} h on {number} workers"
            for number in sorted({self.workers, 8, 64})
        )
        memory = (
            f"{self.worker_gigabytes:.1f} GB a worker"
            if self.worker_gigabytes
            else "not measured, because all was done before"
        )
        return (
            f"{self.table.to_string(index=False, float_format=lambda value: f'{value:.2f}')}\n\n"
            f"{self.jobs} jobs: {hours} (this run has {self.workers})\n"
            f"disk: {self.gigabytes:.2f} GB of bitstreams; memory: {memory}"
        )


def plan_experiment(
    experiment: Experiment,
    out: Path,
    runner_spec: str,
    jobs: int | None,
    on_progress: OnProgress = lambda done, jobs: None,
) -> Plan:
    """Carry out an experiment on one image, and return what the whole will take.

    It is the image whose file has the median size: the more there is in an image, the longer it
    takes. What was done lies in the run folder, and the run goes on from there.

    Raises:
        UsageError: if it cannot be carried out as it was asked for, or a codec fails.
    """
    prepared = prepare(experiment, out, runner_spec, jobs)
    by_size = sorted(prepared.pictures, key=lambda picture: picture.path.stat().st_size)
    typical = by_size[len(by_size) // 2]
    outcome = perform(prepared, on_progress, only=[typical]).outcome
    for codec, reasons in outcome.failures.items():
        raise UsageError(f"{codec} failed on {typical.name}: {reasons[0]}")
    names = {choice.name for choice, _ in prepared.choices} | {UNCOMPRESSED}
    records = [
        record
        for record in prepared.folder.records()
        if record.image == typical.name and record.codec in names
    ]
    (rated,) = prepared.runner.run(rating_s, [typical])
    prepared.runner.close()
    if isinstance(rated, Failed):
        raise UsageError(rated.reason)
    images, workers = len(prepared.pictures), prepared.runner.workers
    return extrapolated(records, images, rated.result, outcome.peak_memory, workers)


def extrapolated(
    records: Sequence[Record], images: int, rating_s: float, peak_memory: int, workers: int
) -> Plan:
    """The plan for a number of images.

    Args:
        records: of every codec and rate point, each of the same one image or few.
        images: number of images of the run.
        rating_s: seconds that each job takes beside those in the records.
        peak_memory: bytes that the largest worker took.
        workers: number of jobs that are worked on at once.
    """
    times = ["encode_s", "decode_s", "analysis_s"]
    shown = ["codec", "rate_point", *times, "bytes"]
    measured = pd.DataFrame([{name: getattr(its, name) for name in shown} for its in records])
    table = measured.groupby(["codec", "rate_point"], sort=False)[[*times, "bytes"]].mean()
    table = table.reset_index()
    table.insert(2, "jobs", images)
    table["rating_s"] = rating_s
    table["hours"] = table[[*times, "rating_s"]].sum(axis=1) * images / 3600
    stored = table["bytes"].where(table["codec"] != UNCOMPRESSED, 0)
    table["gigabytes"] = stored * images / 1e9
    table = table.drop(columns="bytes")
    return Plan(
        table,
        len(table) * images,
        float(table["hours"].sum()),
        float(table["gigabytes"].sum()),
        peak_memory / 1e9,
        workers,
    )
