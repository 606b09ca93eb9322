"""The command line."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import CodecUnavailable, UsageError

if TYPE_CHECKING:
    from benchmark.api import Run
    from benchmark.codec import TrainableCodec

FAILED_JOBS = 1
WRONG_USE = 2
INTERRUPTED = 130

_FIRST_LOOK = 20
_AP_KINDS = ("coco", "cityscapes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; return its exit code: 0, 1 for failed jobs, 2 for wrong use."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(given).parse_args(given, argparse.Namespace(arguments=given))
    _show_log()
    try:
        return options.command(options)
    except (UsageError, CodecUnavailable) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("benchmark: interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(f"benchmark: {error}: finished work is kept, run again to go on", file=sys.stderr)
        return FAILED_JOBS


def _show_log() -> None:
    """Print what the package says on the standard error, a line each, above any bar."""

    import logging

    from tqdm import tqdm

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tqdm.write(self.format(record), file=sys.stderr)

    log = logging.getLogger("benchmark")
    log.handlers, log.propagate = [Lines()], False
    log.setLevel(logging.INFO)


@dataclass(frozen=True)
class _Command:
    """A command of the command line.

    Attributes:
        help: one line in the list of commands.
        description: in its own help.
        add_options: adds its options; called for the command that was asked for only, because the
            help of options says which plug-ins there are.
        carry_out: returns the exit code.
    """

    help: str
    description: str
    add_options: Callable[[argparse.ArgumentParser], None]
    carry_out: Callable[[argparse.Namespace], int]


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmark",
        description="Compares image codecs by bits per pixel and by what Mask R-CNN still finds.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        options = commands.add_parser(name, help=command.help, description=command.description)
        options.set_defaults(command=command.carry_out)
        if name in given:
            command.add_options(options)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *arguments: Any, **named: Any) -> None:
        import benchmark

        print(f"benchmark {benchmark.__version__}")
        parser.exit()


def _add_run(run: argparse.ArgumentParser) -> None:
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
        help="rate points, for example qp32, or vtm:qp32 for one codec only; "
        "default: those of each codec",
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
        f"default: {_FIRST_LOOK} of miniscapes, all of others",
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


def _add_report(report: argparse.ArgumentParser) -> None:
    report.add_argument("run", type=Path, metavar="RUN", help="run folder")
    report.add_argument(
        "--ap",
        choices=_AP_KINDS,
        help="average precision as COCO or as the Cityscapes scripts compute it, from the run's "
        "detections; default: the run's own",
    )
    report.add_argument("--anchor", default="vtm", help="codec that others are compared to (vtm)")
    _add_external(report)


def _add_figures(figures: argparse.ArgumentParser) -> None:
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


def _add_external(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--external",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a curve from elsewhere to draw too: CompressAI's JSON, or CSV with bpp and wap; "
        "may be repeated",
    )


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def _add_check(check: argparse.ArgumentParser) -> None:
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


def _add_train(train: argparse.ArgumentParser) -> None:
    from benchmark.codec import CODECS, TrainableCodec
    from benchmark.datasets import trainable

    networks = train.add_subparsers(required=True, metavar="NETWORK")
    analysis = networks.add_parser(
        "analysis",
        help="the analysis network",
        description="Trains the analysis network from nothing. Run again after any interruption, "
        "it goes on.",
    )
    analysis.add_argument("--out", type=Path, required=True, help="folder for weights and logs")
    analysis.add_argument(
        "--dataset",
        default="miniscapes",
        help=f"{trainable()}; its training split is used (miniscapes)",
    )
    analysis.add_argument("--scenes", type=_positive, default=2000, help="of Miniscapes (2000)")
    analysis.add_argument("--iterations", type=_positive, default=6000, help="steps (6000)")
    analysis.add_argument("--batch", type=_positive, default=4, help="images a step (4)")
    analysis.add_argument("--seed", type=int, default=0)
    analysis.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(cpu)")
    analysis.add_argument("--devices", type=_positive, default=1, help="number of them (1)")
    analysis.add_argument("--threads", type=_positive, help="default: one a core")
    analysis.set_defaults(command=_train_analysis)
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
            options.set_defaults(command=_train_codec, codec=codec)


def _run(options: argparse.Namespace) -> int:
    import benchmark

    with _progress() as on_progress:
        run = benchmark.run(**_asked(options), anchor=options.anchor, on_progress=on_progress)
    _print_outcome(run)
    if run.tables:
        _print_tables(run)
    if run.unfinished:
        print(f"\nnot in the table, or not of all images: {', '.join(run.unfinished)}")
    failures = run.outcome is not None and run.outcome.failures
    return FAILED_JOBS if failures or run.unfinished else 0


def _plan(options: argparse.Namespace) -> int:
    import benchmark

    with _progress() as on_progress:
        plan = benchmark.plan(**_asked(options), on_progress=on_progress)
    print(plan.text())
    return 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on the standard error, which is told how many jobs are done, and of how many."""
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else 30
    with tqdm(unit="job", mininterval=interval, smoothing=0, disable=None) as bar:

        def show(done: int, jobs: int) -> None:
            if bar.total != jobs:
                bar.reset(jobs)
                bar.initial = done
            bar.update(done - bar.n)

        yield show


def _print_outcome(run: Run) -> None:
    outcome = run.outcome
    assert outcome is not None
    for codec, reasons in outcome.failures.items():
        print(f"{codec}: {len(reasons)} jobs failed, the first: {reasons[0]}")
    if not outcome.finished:
        print(
            f"{outcome.reused} jobs were done before, none was finished now"
            if outcome.failures
            else f"all {outcome.reused} jobs were done before"
        )
        return
    shares = (
        f": wall time / (their sum / workers) = {run.wall_s * outcome.workers / outcome.work_s:.2f}"
        if outcome.work_s
        else ""
    )
    print(
        f"{outcome.finished} jobs in {run.wall_s:.0f} s ({outcome.reused} were done before); "
        f"encoding, decoding and analysis took {outcome.work_s:.0f} s on {outcome.workers} "
        f"workers{shares}"
    )


def _print_tables(run: Run) -> None:
    from benchmark.report.text import tables_text

    assert run.tables is not None
    print(tables_text(run.summary, run.tables.against(run.anchor), run.anchor))
    for note in run.tables.notes:
        print(f"{note}.")
    print(f"\nCurves: {run.path}/curves.svg and .png, report: {run.path}/report.html")


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of the API's `run` and `plan` that the options stand for."""
    from benchmark.codec import CODECS, takes_option
    from benchmark.run.presets import PRESETS

    preset = PRESETS.get(options.preset)
    codecs = options.codecs or (preset.codecs if preset else None)
    codec_options = _codec_options(options.option)
    if options.checkpoints:
        for name in codecs or CODECS.found():
            if takes_option(name, "checkpoints"):
                codec_options.setdefault(name, {})["checkpoints"] = options.checkpoints
    rates = options.rates or [
        rate for rate in (preset.rates if preset else ()) if rate.split(":")[0] in (codecs or ())
    ]
    return {
        "codecs": codecs,
        "dataset": options.dataset,
        "limit": getattr(
            options, "limit", _FIRST_LOOK if options.dataset == "miniscapes" else None
        ),
        "rates": rates,
        "options": codec_options,
        "analysis": None if options.analysis == "none" else options.analysis,
        "ap": options.ap or (preset.ap if preset else "coco"),
        "device": options.device,
        "bitstreams": options.bitstreams,
        "job_limit_s": options.job_limit,
        "runner": options.runner,
        "jobs": options.jobs,
        "out": options.out,
        "command": shlex.join(["python", "-m", "benchmark", *options.arguments]),
    }


def _report(options: argparse.Namespace) -> int:
    import benchmark

    run = benchmark.report(
        options.run, anchor=options.anchor, ap=options.ap, external=options.external
    )
    _print_tables(run)
    return 0


def _figures(options: argparse.Namespace) -> int:
    from benchmark.figures.draw import draw_figures

    drawn = draw_figures(
        options.run,
        options.out or options.run / "figures",
        image=options.image,
        codecs=options.codecs,
        rates=options.rates,
        anchor=options.anchor,
        external=options.external,
    )
    for path in drawn:
        print(path)
    return 0


def _codecs(options: argparse.Namespace) -> int:
    from benchmark.codec import list_codecs

    for codec in list_codecs():
        shown = f"cannot run here: {codec.problem}" if codec.problem else None
        print(f"{codec.name:12} {shown or ' '.join(codec.rate_points)}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from benchmark.contracts import check

    options_given = _codec_options([f"{options.plugin}.{its}" for its in options.option])
    passed = True
    for result in check(options.plugin, options_given.get(options.plugin, {})):
        print(result.line(), flush=True)
        passed &= result.passed
    return 0 if passed else FAILED_JOBS


def _train_analysis(options: argparse.Namespace) -> int:
    import torch

    from benchmark.analysis.mask_rcnn.training import AnalysisRecipe, train_analysis
    from benchmark.datasets import open_training_split
    from benchmark.metrics.average_precision import wap_of

    if options.threads:
        torch.set_num_threads(options.threads)
    training, validation = open_training_split(options.dataset, options.scenes)
    recipe = AnalysisRecipe(iterations=options.iterations, batch=options.batch, seed=options.seed)
    weights = train_analysis(
        training,
        options.out,
        recipe,
        evaluate=lambda network: wap_of(network, validation),
        evaluate_every=max(1, options.iterations // 5),
        device=options.device,
        devices=options.devices,
    )
    print(f"{weights}: use it with --analysis weights:{weights}")
    return 0


def _train_codec(options: argparse.Namespace) -> int:
    codec: type[TrainableCodec] = options.codec
    weights = codec.train(options)
    if weights:
        print(weights)
    return 0


def _codec_options(given: Sequence[str]) -> dict[str, dict[str, str]]:
    options: dict[str, dict[str, str]] = {}
    for option in given:
        target, equals, value = option.partition("=")
        name, dot, key = target.partition(".")
        if not (equals and dot and key):
            raise UsageError(f"--option {option} is not of the form NAME.KEY=VALUE")
        options.setdefault(name, {})[key] = value
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _limit(text: str) -> int | None:
    return None if text == "none" else _positive(text)


_COMMANDS = {
    "run": _Command(
        "compress, decode, judge, compare",
        "Compresses images with codecs at several rate points, lets the analysis network judge the "
        "decoded images, and compares the codecs. Without options: a first look at 20 images of "
        "Miniscapes with all codecs that can run here. Run again after any interruption, it goes "
        "on.",
        _add_run,
        _run,
    ),
    "plan": _Command(
        "how long a run will take",
        "Codes and judges one image as `run` with the same options would, and says how long the "
        "whole will take, and how much disk and memory. What was done is kept: the run goes on "
        "from it.",
        _add_run,
        _plan,
    ),
    "report": _Command("show a run again", "Evaluates a run again.", _add_report, _report),
    "figures": _Command(
        "the paper's figures, from a run",
        "Draws, as SVG, PDF and PNG: the curves, the relative curve difference, a comparison of "
        "decoded images, and for codecs that mask latents their masks.",
        _add_figures,
        _figures,
    ),
    "codecs": _Command(
        "list all codecs, and why one cannot run here", "Lists all codecs.", _add_nothing, _codecs
    ),
    "check": _Command(
        "put a plug-in through its contract",
        "Puts a codec, a runner, a data set or an analysis network through all that the harness "
        "asks of it, and prints a line per check.",
        _add_check,
        _check,
    ),
    "train": _Command(
        "train a network", "Trains the analysis network or a codec.", _add_train, lambda _: 0
    ),
}
