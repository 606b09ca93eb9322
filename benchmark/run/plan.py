"""What a run will take, from one image that is coded and judged for real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.run.run_folder import UNCOMPRESSED, Record


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
    measured = pd.DataFrame([vars(record) for record in records])
    times = ["encode_s", "decode_s", "analysis_s"]
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
