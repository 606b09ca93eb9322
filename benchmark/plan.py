"""What a run will take, from one image that is coded and judged for real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.store import UNCOMPRESSED, Record


@dataclass(frozen=True)
class Plan:
    """What a run will take.

    Attributes:
        table: a line a codec and rate point: codec, rate_point, jobs, encode_s, decode_s,
            analysis_s (seconds a job), hours (of one core, all jobs), gigabytes (of bitstreams).
        jobs: number of jobs.
        core_hours: of all jobs together.
        gigabytes: of all bitstreams.
        worker_gigabytes: memory of the largest worker.
    """

    table: pd.DataFrame
    jobs: int
    core_hours: float
    gigabytes: float
    worker_gigabytes: float

    def text(self, cores: int) -> str:
        """The plan for people, with the hours that it takes on several numbers of workers."""
        workers = sorted({cores, 8, 64})
        hours = ", ".join(
            f"{self.core_hours / number:.1f} h on {number} workers" for number in workers
        )
        return (
            f"{self.table.to_string(index=False, float_format=lambda value: f'{value:.2f}')}\n\n"
            f"{self.jobs} jobs: {hours} (this machine has {cores} cores)\n"
            f"disk: {self.gigabytes:.2f} GB of bitstreams; memory: "
            f"{self.worker_gigabytes:.1f} GB a worker"
        )


def extrapolated(records: Sequence[Record], images: int, peak_memory: int) -> Plan:
    """The plan for a number of images.

    Args:
        records: of every codec and rate point, each of the same one image or few.
        images: number of images of the run.
        peak_memory: bytes that the largest worker took.
    """
    measured = pd.DataFrame([vars(record) for record in records])
    times = ["encode_s", "decode_s", "analysis_s"]
    table = measured.groupby(["codec", "rate_point"], sort=False)[[*times, "bytes"]].mean()
    table = table.reset_index()
    table.insert(2, "jobs", images)
    table["hours"] = table[times].sum(axis=1) * images / 3600
    stored = table["bytes"].where(table["codec"] != UNCOMPRESSED, 0)
    table["gigabytes"] = stored * images / 1e9
    table = table.drop(columns="bytes")
    return Plan(
        table,
        len(table) * images,
        float(table["hours"].sum()),
        float(table["gigabytes"].sum()),
        peak_memory / 1e9,
    )
