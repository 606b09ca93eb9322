"""An experiment: what is asked for, and all that it needs, opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmark.analysis import AnalysisNetwork, open_analysis
from benchmark.codec import Codec
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import Dataset, Picture, check_something_to_find
from benchmark.errors import CodecUnavailable, UsageError
from benchmark.metrics.ground_truth import DETECTED, check_ap
from benchmark.run.choice import choose_codecs
from benchmark.run.device import choose_device
from benchmark.run.jobs import CodecChoice
from benchmark.run.run_folder import RunFolder
from benchmark.run.scaled_sizes import check_scaled_sizes
from benchmark.runner import Runner, open_runner


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What was asked for.

    Attributes:
        dataset: spec of the data set.
        limit: number of images; None for all.
        codecs: names, or classes that no module has; None for all that can run here.
        codec_options: options by the codec's name.
        rates: names of rate points, ``qp32`` or ``vtm:qp32``; none for each codec's own.
        scales: at which each rate point is measured (`benchmark.rate_point.RatePoint`).
        analysis: spec of the analysis network; None for none.
        ap: whose average precision is computed (`benchmark.metrics.ground_truth.AP_NAMES`).
        device: of the analysis network, cpu or cuda; None for CUDA where there is a device.
        bitstreams: run folder that encodings are taken from.
        job_limit_s: seconds after which a job is given up; None for no limit.
        command: how the experiment can be asked for again.
        options_file: the content of ``run.toml``; empty for none.
    """

    dataset: str = "miniscapes"
    limit: int | None = None
    codecs: Sequence[str | type[Codec]] | None = None
    codec_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rates: Sequence[str] = ()
    scales: Sequence[float] = (1.0,)
    analysis: str | None = "miniscapes"
    ap: str = "coco"
    device: str | None = None
    bitstreams: Path | None = None
    job_limit_s: float | None = None
    command: str = ""
    options_file: str = ""


@dataclass(frozen=True)
class Prepared:
    """An experiment with all that it needs, opened.

    Attributes:
        folder: the run folder, of which nothing but the format was looked at yet.
        runner: where to work.
        choices: codecs and rate points, each with the codec itself.
        dataset, pictures: the data set, and those of its images that are asked for.
        network: the analysis network, on the CPU; None without one.
        device: where it computes.
        ap: whose average precision is computed; None without a network.
    """

    experiment: Experiment
    folder: RunFolder
    runner: Runner
    choices: Sequence[tuple[CodecChoice, Codec]]
    dataset: Dataset
    pictures: Sequence[Picture]
    network: AnalysisNetwork | None
    device: str
    ap: str | None

    @property
    def analysis(self) -> str | None:
        """Return the analysis network's spec; None without one."""
        return self.experiment.analysis if self.network else None


def prepare(experiment: Experiment, out: Path, runner_spec: str, jobs: int | None) -> Prepared:
    """Open all that an experiment needs; name all that is missing at once.

    Raises:
        UsageError: if something is missing.
    """
    problems: list[str] = []

    def attempt(function: Callable[..., _Opened], *arguments: Any, **named: Any) -> _Opened | None:
        try:
            return function(*arguments, **named)
        except (UsageError, CodecUnavailable) as error:
            problems.append(str(error))
            return None

    runner = attempt(open_runner, runner_spec, jobs)
    folder = RunFolder(out)
    attempt(folder.check_usable)
    choices = attempt(
        choose_codecs, experiment.codecs, experiment.codec_options, experiment.rates,
        experiment.scales,
    )  # fmt: skip
    dataset = attempt(open_dataset, experiment.dataset)
    if dataset is not None:
        attempt(check_ap, experiment.ap, dataset)
    judged = dataset is None or dataset.categories or experiment.ap == DETECTED
    analysis = experiment.analysis if judged else None
    categories = dataset.categories or None if dataset is not None else None
    network = attempt(open_analysis, analysis, categories=categories) if analysis else None
    device = attempt(choose_device, experiment.device) if analysis else "cpu"
    if problems:
        listed = "".join(f"\n- {problem}" for problem in problems)
        raise UsageError(problems[0] if len(problems) == 1 else f"this is missing:{listed}")
    assert runner is not None and choices is not None and dataset is not None
    assert device is not None
    pictures = dataset.pictures[: experiment.limit]
    check_scaled_sizes([choice for choice, _ in choices], pictures)
    if network and experiment.ap != DETECTED:
        check_something_to_find(dataset, pictures, experiment.dataset)
    ap = experiment.ap if analysis else None
    return Prepared(experiment, folder, runner, choices, dataset, pictures, network, device, ap)


_Opened = TypeVar("_Opened")
