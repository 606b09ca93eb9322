"""The options of the command line, and what the Python API is asked for by them."""

from __future__ import annotations

import argparse
import contextlib
import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError
from benchmark.options_file import options_text
from benchmark.rate_point import scale_of

CarryOut = Callable[[argparse.Namespace], int]
"""Carries out a command and returns the exit code."""

FIRST_LOOK_IMAGES = 5
"""Of Miniscapes, with all codecs: 263 s on two cores of an AMD EPYC."""

_AP_KINDS = ("coco", "cityscapes")


def add_run(run: argparse.ArgumentParser) -> None:
    from benchmark.analysis.analysis_network import NETWORKS
    from benchmark.codec import CODECS
    from benchmark.datasets.dataset import DATASETS
    from benchmark.run.presets import PRESETS
    from benchmark.runner import RUNNERS

    run.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="codecs, rate points and AP of a known experiment, where nothing else is asked for",
    )
    run.add_argument(
        "--config",
        metavar="FILE",
        help="TOML file of options, NAME = VALUE by their long names; what is typed overrides "
        "it. The run folder holds the options of its last run as run.toml",
    )
    run.add_argument(
        "--codecs",
        nargs="+",
        metavar="NAME",
        help=f"default: all that can run here, of {CODECS.forms()}",
    )
    run.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME.KEY=VALUE",
        help="an option of a codec, for example vtm.extra=--ScalingList=2; may be repeated",
    )
    run.add_argument(
        "--checkpoints",
        metavar="FOLDER",
        help="published checkpoints, for all codecs of the run that can take some",
    )
    run.add_argument(
        "--rates",
        nargs="+",
        default=[],
        metavar="POINT",
        help="rate points, for example qp32, or vtm:qp32 for one codec only; vvenc:bpp0.1: for "
        "each image the best setting that takes no more bits per pixel; "
        "default: those of each codec",
    )
    run.add_argument(
        "--scales",
        nargs="+",
        type=scale_of,
        default=[],
        metavar="SCALE",
        help="by which the images' sides are multiplied before coding, for example 1 0.75 0.5: "
        "every rate point is measured at each, as qp32@0.5, and a codec's curve is the convex hull "
        "of all; default: 1",
    )
    run.add_argument(
        "--dataset",
        default="miniscapes",
        help=f"{DATASETS.forms()} (miniscapes)",
    )
    run.add_argument(
        "--limit",
        type=_limit,
        default=argparse.SUPPRESS,
        metavar="N",
        help="only the first N images, or none for all; "
        f"default: {FIRST_LOOK_IMAGES} of miniscapes, all of others",
    )
    run.add_argument(
        "--analysis",
        default="miniscapes",
        help=f"analysis network: {NETWORKS.forms()}, or none to compare images only (miniscapes)",
    )
    run.add_argument(
        "--ap",
        choices=_AP_KINDS,
        help="average precision as COCO (default) or as the Cityscapes scripts compute it",
    )
    _add_truth(run, "annotations")
    run.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        help="where the analysis network computes; default: cuda where there is a device",
    )
    run.add_argument("--anchor", default="vtm", help="codec that others are compared to (vtm)")
    run.add_argument(
        "--bitstreams",
        type=Path,
        metavar="RUN",
        help="take what the same codecs made of the same images in another run, "
        "instead of encoding again",
    )
    run.add_argument("--jobs", type=_positive, metavar="N", help="default: one a core")
    run.add_argument(
        "--job-limit",
        type=_positive,
        metavar="SECONDS",
        help="give up coding and judging one image at one rate point after that time "
        "(default: never)",
    )
    run.add_argument("--runner", default="local", help=f"where to work: {RUNNERS.forms()} (local)")
    run.add_argument(
        "--out", type=Path, default=Path("results/run"), help="run folder (results/run)"
    )


def add_report(report: argparse.ArgumentParser) -> None:
    from benchmark.evaluation.clusters import RESAMPLED

    report.add_argument("run", type=Path, metavar="RUN", help="run folder")
    report.add_argument(
        "--ap",
        choices=_AP_KINDS,
        help="average precision as COCO or as the Cityscapes scripts compute it, from the run's "
        "detections; default: the run's own",
    )
    _add_truth(report, "the run's own")
    report.add_argument(
        "--resample",
        choices=RESAMPLED,
        default=RESAMPLED[0],
        help="what bootstrap intervals are over: images, or all images of a city or a sequence "
        "together, by their names (image)",
    )
    report.add_argument("--anchor", default="vtm", help="codec that others are compared to (vtm)")
    _add_external(report)


def add_figures(figures: argparse.ArgumentParser) -> None:
    figures.add_argument("run", type=Path, metavar="RUN", help="run folder")
    figures.add_argument("--out", type=Path, help="folder for the figures (RUN/figures)")
    figures.add_argument("--image", help="name of the image that is shown (default: the first)")
    figures.add_argument(
        "--codecs", nargs="+", metavar="NAME", help="those that are compared (default: a choice)"
    )
    figures.add_argument(
        "--rates", nargs="+", default=[], metavar="POINT", help="rate points of the masks"
    )
    figures.add_argument("--anchor", default="vtm", help="codec that others are compared to (vtm)")
    _add_external(figures)


def _add_truth(command: argparse.ArgumentParser, default: str) -> None:
    command.add_argument(
        "--truth",
        choices=("annotations", "detections"),
        help="what counts as an object: the data set's annotations, or what the analysis network "
        f"finds in the uncompressed images, for images without annotations too ({default})",
    )


def asked_ap(options: argparse.Namespace, default: str | None = None) -> str | None:
    """The kind of AP that ``--ap`` and ``--truth`` ask for; the default where neither does.

    Raises:
        UsageError: if they do not go together.
    """
    from benchmark.metrics.ground_truth import DETECTED

    ap: str | None = options.ap or default
    if options.truth != "detections":
        return ap or ("coco" if options.truth else None)
    if options.ap == "cityscapes":
        raise UsageError(
            "--truth detections has COCO's AP only: Cityscapes' needs the void regions of "
            "annotations; leave --ap cityscapes out"
        )
    return DETECTED


def _add_external(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--external",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a curve from elsewhere to draw too: CompressAI's JSON, or CSV with bpp and wap; "
        "may be repeated",
    )


def add_nothing(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def add_check(check: argparse.ArgumentParser) -> None:
    check.add_argument(
        "plugin", metavar="NAME[:WHERE]", help="a codec, a runner, a data set, an analysis network"
    )
    check.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the codec to check it with; may be repeated",
    )


def add_train(
    train: argparse.ArgumentParser, train_analysis: CarryOut, train_codec: CarryOut
) -> None:
    from benchmark.codec import CODECS, TrainableCodec
    from benchmark.datasets import trainable

    networks = train.add_subparsers(required=True, metavar="NETWORK")
    analysis = networks.add_parser(
        "analysis",
        help="the analysis network",
        description="Trains the analysis network. Run again after any interruption, it goes on.",
    )
    analysis.add_argument("--out", type=Path, required=True, help="folder for weights and logs")
    analysis.add_argument(
        "--dataset",
        default="miniscapes",
        help=f"{trainable()}; its training split is used (miniscapes)",
    )
    analysis.add_argument("--scenes", type=_positive, default=2000, help="of Miniscapes (2000)")
    analysis.add_argument("--iterations", type=_positive, default=6000, help="steps (6000)")
    analysis.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="weights.safetensors of a training on the same classes (default: from nothing)",
    )
    analysis.add_argument(
        "--learning-rate", type=_above_zero, default=2e-3, help="at its highest (2e-3)"
    )
    analysis.add_argument("--batch", type=_positive, default=4, help="images a step (4)")
    analysis.add_argument("--seed", type=int, default=0)
    analysis.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(cpu)")
    analysis.add_argument("--devices", type=_positive, default=1, help="number of them (1)")
    analysis.add_argument("--threads", type=_positive, help="default: one a core")
    analysis.set_defaults(command=train_analysis)
    for name in CODECS.found():
        codec: type[Any] = object
        with contextlib.suppress(UsageError):  # `codecs` names what is wrong with it
            codec = CODECS.load(name)
        if issubclass(codec, TrainableCodec):
            options = networks.add_parser(
                name,
                help=f"weights of the codec {name}",
                description=f"{codec.__doc__} Run again after any interruption, it goes on.",
            )
            codec.add_training_options(options)
            options.set_defaults(command=train_codec, codec=codec)


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of the API's `run` and `plan` that the options stand for."""
    from benchmark.codec import CODECS, takes_option
    from benchmark.run.presets import PRESETS

    preset = PRESETS.get(options.preset)
    codecs = options.codecs or (preset.codecs if preset else None)
    by_codec = codec_options(options.option)
    if options.checkpoints:
        for name in codecs or CODECS.found():
            if takes_option(name, "checkpoints"):
                by_codec.setdefault(name, {})["checkpoints"] = options.checkpoints
    rates = options.rates or [
        rate for rate in (preset.rates if preset else ()) if rate.split(":")[0] in (codecs or ())
    ]
    return {
        "codecs": codecs,
        "dataset": options.dataset,
        "limit": getattr(
            options, "limit", FIRST_LOOK_IMAGES if options.dataset == "miniscapes" else None
        ),
        "rates": rates,
        "scales": options.scales or (1,),
        "options": by_codec,
        "analysis": None if options.analysis == "none" else options.analysis,
        "ap": asked_ap(options, preset.ap if preset else "coco"),
        "device": options.device,
        "bitstreams": options.bitstreams,
        "job_limit_s": options.job_limit,
        "runner": options.runner,
        "jobs": options.jobs,
        "out": options.out,
        "options_file": options_text(options),
        "command": shlex.join(["python", "-m", "benchmark", *options.arguments]),
    }


def codec_options(given: Sequence[str]) -> dict[str, dict[str, str]]:
    options: dict[str, dict[str, str]] = {}
    for option in given:
        target, equals, value = option.partition("=")
        name, dot, key = target.partition(".")
        if not (equals and dot and key):
            raise UsageError(f"--option {option} is not of the form NAME.KEY=VALUE")
        options.setdefault(name, {})[key] = value
    return options


def _above_zero(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _limit(text: str) -> int | None:
    return None if text == "none" else _positive(text)
