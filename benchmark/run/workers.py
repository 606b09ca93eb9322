"""What workers on other machines have: their software, and the files of the run."""

from __future__ import annotations

import functools
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from benchmark.codec import identities_at, identity_of
from benchmark.errors import CodecUnavailable, UsageError
from benchmark.run.jobs import CodecChoice, Job
from benchmark.runner import Runner
from benchmark.system.machine import machine, versions

_NAMED = 2

_log = logging.getLogger("benchmark")


@dataclass(frozen=True)
class _Found:
    """What a process has.

    Attributes:
        software: versions of packages, the processor, each codec's identity, by name.
        files: whether it sees all files that it was asked for.
    """

    software: dict[str, str]
    files: bool


def share_files(
    runner: Runner, codecs: Sequence[CodecChoice], jobs: Sequence[Job], folder: Path
) -> bool:
    """Return whether all workers see the run's files; say in the log what else differs.

    Args:
        runner: whose workers are asked.
        codecs: of the run.
        jobs: those to be done; the workers are asked for the files of the first.
        folder: the run folder.
    """
    if not jobs:
        return True
    files = [jobs[0].picture.path]
    files += [job.encoded.file for job in jobs if job.encoded][:1]
    ask = functools.partial(_find, tuple(codecs), tuple(map(Path.absolute, [*files, folder])))
    workers = runner.on_each_worker(ask)
    if not workers:
        return True
    here = ask().software
    for name, value in here.items():
        others: dict[str, list[str]] = defaultdict(list)
        for worker, found in workers.items():
            if found.software.get(name) != value:
                others[found.software.get(name, "none")].append(worker)
        for other, names in others.items():
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            _log.warning(
                "%s%s: %s %s, here it is %s",
                *(", ".join(names[:_NAMED]), more, name, other, value),
            )
    shared = all(found.files for found in workers.values())
    if not shared:
        _log.info("the workers do not see all files of this run: images are sent to them")
    return shared


def _find(codecs: Sequence[CodecChoice], files: Sequence[Path]) -> _Found:
    software = {**versions(), "processor": machine().get("processor", "unknown")}
    for choice in codecs:
        try:
            codec = choice.open()
            at = identities_at(codec, choice.rate_points)
            everything = [identity_of(codec), *at.values()]
            software[f"codec {choice.name}"] = " ".join(
                value for identity in everything for value in identity.values()
            )
        except (CodecUnavailable, UsageError) as error:
            software[f"codec {choice.name}"] = f"not available ({error})"
    return _Found(software, all(file.exists() for file in files))


class ShippedJobs(Sequence[Job]):
    """Jobs that bring the files that they read, for workers that do not see them.

    The files are read when a job is asked for, so that few are in memory.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs

    def __len__(self) -> int:
        return len(self._jobs)

    @overload
    def __getitem__(self, index: int) -> Job: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Job]: ...

    def __getitem__(self, index: int | slice) -> Job | Sequence[Job]:
        if isinstance(index, slice):
            return ShippedJobs(self._jobs[index])
        job = self._jobs[index]
        encoded = job.encoded
        if encoded:
            encoded = replace(encoded, bitstream=encoded.file.read_bytes())
        return replace(job, image_file=_content(job.picture.path), encoded=encoded)

    def __iter__(self) -> Iterator[Job]:
        return (self[index] for index in range(len(self)))


@functools.lru_cache(4)
def _content(path: Path) -> bytes:
    """The file of an image: its jobs follow each other."""
    return path.read_bytes()
