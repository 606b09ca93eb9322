"""An experiment is compared with its run folder, and what the folder lacks is carried out."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from benchmark.analysis.labels import unknown_to
from benchmark.codec import identities_at, identity_of
from benchmark.datasets.dataset import Dataset, Picture, each_picture, fingerprint
from benchmark.metrics.qualities import IMAGE_QUALITIES, why_unavailable
from benchmark.run.agreement import brought, check_agreement
from benchmark.run.carry_out import OnImage, OnProgress, RunOutcome, carry_out, waiting_jobs
from benchmark.run.complexity import with_complexity
from benchmark.run.device import device_identity
from benchmark.run.experiment import Prepared
from benchmark.run.image_numbers import known_numbers, with_new_images
from benchmark.run.jobs import Job, open_analysis_once, plan_jobs
from benchmark.run.manifest import (
    AnalysisEntry,
    CodecEntry,
    DatasetEntry,
    ImageEntry,
    Invocation,
    Manifest,
)
from benchmark.run.other_bitstreams import with_encodings
from benchmark.run.record import Record
from benchmark.run.run_folder import RunFolder
from benchmark.run.same_bits import same_bits
from benchmark.run.workers import ShippedJobs, share_files
from benchmark.system.files import in_utf8
from benchmark.system.machine import machine, versions

_log = logging.getLogger("benchmark")


@dataclass(frozen=True)
class Performed:
    """What an experiment left.

    Attributes:
        manifest: of the run folder.
        pictures: the images, with their numbers in the run folder.
        outcome: what was done.
        unfinished: the rate points that were asked for and lack results, CODEC RATE.
        shared: whether the workers see the run's files.
    """

    manifest: Manifest
    pictures: Sequence[Picture]
    outcome: RunOutcome
    unfinished: Sequence[str]
    shared: bool


def perform(
    prepared: Prepared,
    on_progress: OnProgress = lambda done, jobs: None,
    only: Sequence[Picture] | None = None,
    on_image: OnImage = lambda left: None,
) -> Performed:
    """Carry out what the run folder does not hold yet.

    The manifest is read, compared and written while the folder is locked, and nothing is written
    before it was compared.

    Args:
        prepared: the experiment.
        on_progress: is told of each job that ends.
        only: those of the images that are worked on now; None for all.
        on_image: is told of each image that has all results.

    Raises:
        UsageError: if the folder was made with something else, or another process writes to it.
    """
    folder = prepared.folder
    categories = tuple(prepared.network.categories) if prepared.network else ()
    if prepared.analysis and prepared.device == "cpu":
        prepared.runner.warm_up(partial(open_analysis_once, prepared.analysis, categories))
    fingerprints = _fingerprints(prepared.dataset, prepared.pictures)
    for remark in prepared.dataset.remarks(prepared.pictures):
        _log.info("%s", remark)
    with folder.locked():
        before = folder.manifest()
        records = folder.records()
        pictures = _numbered(prepared.pictures, before, records)
        now = _manifest(prepared, pictures, fingerprints)
        if before is not None:
            by_name = {picture.name: picture for picture in pictures}
            codecs = {choice.name: codec for choice, codec in prepared.choices}
            check_agreement(
                before, now, folder.path,
                lambda name: same_bits(codecs[name], folder, records, by_name),
            )  # fmt: skip
        names = {picture.name for picture in (prepared.pictures if only is None else only)}
        choices = [choice for choice, _ in prepared.choices]
        jobs = plan_jobs(
            choices,
            [picture for picture in pictures if picture.name in names],
            prepared.analysis,
        )
        waiting = waiting_jobs(jobs, folder.mend())
        manifest = _continued(before, now, bool(waiting))
        if manifest != before:
            manifest = with_complexity(manifest, choices)
            folder.write_manifest(manifest)
        if prepared.experiment.options_file:
            folder.write_file("run.toml", in_utf8(prepared.experiment.options_file))
        number = len(manifest.invocations) - 1
        waiting = [replace(job, invocation=number, categories=categories) for job in waiting]
        if prepared.experiment.bitstreams:
            other = RunFolder(prepared.experiment.bitstreams)
            waiting = with_encodings(waiting, other, manifest, prepared.choices)
        shared = share_files(prepared.runner, choices, waiting, folder.path)
        _say_what_begins(prepared, jobs)
        reused = len(jobs) - len(waiting)
        outcome = carry_out(
            waiting if shared else ShippedJobs(waiting),
            folder,
            prepared.runner,
            prepared.device,
            reused,
            prepared.experiment.job_limit_s,
            on_progress,
            on_image,
        )
        left = waiting_jobs(jobs, folder.records())
    return Performed(manifest, pictures, outcome, _points_of(left), shared)


def _points_of(jobs: Iterable[Job]) -> list[str]:
    return list(dict.fromkeys(" ".join(job.key[:2]) for job in jobs))


def _say_what_begins(prepared: Prepared, jobs: Sequence[Job]) -> None:
    for quality in IMAGE_QUALITIES.values():
        if reason := why_unavailable(quality):
            _log.info("without %s: %s", quality.label, reason)
    if prepared.network and (unknown := unknown_to(prepared.network, prepared.dataset)):
        _log.info(
            f"the analysis network has no class {', '.join(unknown)}: "
            "none of their instances can be found"
        )
    rate_points = sum(len(choice.rate_points) for choice, _ in prepared.choices)
    on = f" on {prepared.device}" if prepared.analysis else ""
    _log.info(
        f"{len(prepared.pictures)} images of {prepared.dataset.name}, {len(prepared.choices)} "
        f"codecs with {rate_points} rate points, analysis network: "
        f"{prepared.analysis or 'none'}{on}; {len(jobs)} jobs on {prepared.runner.workers} workers"
    )


def _fingerprints(dataset: Dataset, pictures: Sequence[Picture]) -> dict[str, ImageEntry]:
    found = each_picture(fingerprint, dataset, pictures)
    return {
        picture.name: ImageEntry(pixels=its.pixels, annotations=its.annotations)
        for picture, its in zip(pictures, found, strict=True)
    }


def _numbered(
    pictures: Sequence[Picture], before: Manifest | None, records: Sequence[Record]
) -> list[Picture]:
    """The images with the numbers that the run folder gave them: images are told by their names."""
    own = {picture.name: picture.id for picture in pictures}
    numbers = with_new_images(known_numbers(before, records), own)
    return [replace(picture, id=numbers[picture.name]) for picture in pictures]


def _manifest(
    prepared: Prepared, pictures: Sequence[Picture], fingerprints: Mapping[str, ImageEntry]
) -> Manifest:
    """What is asked for, as a manifest with one invocation."""
    network = prepared.network
    return Manifest(
        dataset=DatasetEntry(spec=prepared.experiment.dataset),
        analysis=AnalysisEntry(
            spec=prepared.analysis,
            identity=network.identity() if network else {},
            categories=_own_categories(prepared),
        ),
        ap=prepared.ap,
        invocations=[
            Invocation(
                command=prepared.experiment.command,
                started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                versions=versions(),
                machine=machine(),
                device=device_identity(prepared.device) if network else None,
                codecs={
                    choice.name: CodecEntry(
                        options=dict(choice.options),
                        identity=identity_of(codec),
                        rate_points=[point.name for point in choice.rate_points],
                        identity_at=identities_at(codec, choice.rate_points),
                    )
                    for choice, codec in prepared.choices
                },
                images={
                    its.name: msgspec.structs.replace(fingerprints[its.name], id=its.id)
                    for its in pictures
                },
            )
        ],
    )


def _own_categories(prepared: Prepared) -> dict[str, int]:
    """The network's classes where the data set has none."""
    if prepared.network is None or prepared.dataset.categories:
        return {}
    return {category.name: category.id for category in prepared.network.categories}


def _continued(before: Manifest | None, now: Manifest, works: bool) -> Manifest:
    """The folder's manifest with one invocation more, if that brings something or works."""
    if before is None:
        return now
    invocation = brought(before, now)
    if not (works or invocation.codecs or invocation.images):
        return msgspec.structs.replace(before, ap=now.ap)
    return msgspec.structs.replace(before, ap=now.ap, invocations=[*before.invocations, invocation])
