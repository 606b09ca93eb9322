"""The command line."""

from __future__ import annotations

import argparse
import contextlib
import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from benchmark.codec import TrainableCodec, find_codecs, open_codec, takes_option
from benchmark.errors import CodecUnavailable, UsageError
from benchmark.run.presets import PRESETS

if TYPE_CHECKING:
    from benchmark.api import RunResult
    from benchmark.evaluation.tables import Tables
    from benchmark.run.experiment import Experiment

FAILED_JOBS = 1
WRONG_USE = 2
INTERRUPTED = 130

_FIRST_LOOK = 20
_AP_KINDS = ("coco", "cityscapes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code: 0, 1 for failed jobs, 2 for wrong use."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given, argparse.Namespace(arguments=given))
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

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tqdm.write(self.format(record), file=sys.stderr)

    log = logging.getLogger("benchmark")
    log.handlers, log.propagate = [Lines()], False
    log.setLevel(logging.INFO)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmark",
        description="Compares image codecs by bits per pixel and by what Mask R-CNN still finds.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_plan(commands)
    _add_report(commands)
    _add_figures(commands)
    _add_codecs(commands)
    _add_train(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        help="compress, decode, judge, compare",
        description="Compresses images with codecs at several rate points, lets the analysis "
        "network judge the decoded images, and compares the codecs. Without options: a first "
        "look at 20 images of Miniscapes with all codecs that can run here. Run again after any "
        "interruption, it goes on.",
    )
    _add_experiment(run)
    run.set_defaults(command=_run)


def _add_plan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    plan = commands.add_parser(
        "plan",
        help="how long a run will take",
        description="Codes and judges one image as `run` with the same options would, and "
        "says how long the whole will take, and how much disk and memory. What was done is kept: "
        "the run goes on from it.",
    )
    _add_experiment(plan)
    plan.set_defaults(command=_plan)


def _add_experiment(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="codecs, rate points and AP of a known experiment, where nothing else is asked for",
    )
    run.add_argument("--codecs", nargs="+", metavar="NAME", help="default: all that can run here")
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
        help="miniscapes (default), cityscapes:PATH, coco:ANNOTATIONS:IMAGES, or images:FOLDER",
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
        help="analysis network: miniscapes (default), weights:FILE, or none for rate, PSNR and "
        "MS-SSIM only",
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
    run.add_argument(
        "--runner", default="local", help="where to work: local (default), or dask:tcp://HOST:PORT"
    )
    run.add_argument(
        "--out", type=Path, default=Path("results/run"), help="run folder (results/run)"
    )


def _add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    report = commands.add_parser("report", help="show a run again")
    report.add_argument("run", type=Path, metavar="RUN", help="run folder")
    report.add_argument(
        "--ap",
        choices=_AP_KINDS,
        help="average precision as COCO or as the Cityscapes scripts compute it, from the run's "
        "detections; default: the run's own",
    )
    report.add_argument("--anchor", default="vtm", help="codec that others are compared to (vtm)")
    _add_external(report)
    report.set_defaults(command=_report)


def _add_figures(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    figures = commands.add_parser(
        "figures",
        help="the paper's figures, from a run",
        description="Draws, as SVG, PDF and PNG: the curves, the relative curve difference, a "
        "comparison of decoded images, and for codecs that mask latents their masks.",
    )
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
    figures.set_defaults(command=_figures)


def _add_external(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--external",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a curve from elsewhere to draw too: CompressAI's JSON, or CSV with bpp and wap; "
        "may be repeated",
    )


def _add_codecs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    codecs = commands.add_parser("codecs", help="list all codecs, and why one cannot run here")
    codecs.set_defaults(command=_codecs)


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser("train", help="train a network")
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
        help="miniscapes (default), or cityscapes:PATH; its training split is used",
    )
    analysis.add_argument("--scenes", type=_positive, default=2000, help="of Miniscapes (2000)")
    analysis.add_argument("--iterations", type=_positive, default=6000, help="steps (6000)")
    analysis.add_argument("--batch", type=_positive, default=4, help="images a step (4)")
    analysis.add_argument("--seed", type=int, default=0)
    analysis.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(cpu)")
    analysis.add_argument("--devices", type=_positive, default=1, help="number of them (1)")
    analysis.add_argument("--threads", type=_positive, help="default: one a core")
    analysis.set_defaults(command=_train_analysis)
    for name, codec in sorted(find_codecs().items()):
        if isinstance(codec, type) and issubclass(codec, TrainableCodec):
            options = networks.add_parser(
                name,
                help=f"weights of the codec {name}",
                description=f"{codec.__doc__} Run again after any interruption, it goes on.",
            )
            codec.add_training_options(options)
            options.set_defaults(command=_train_codec, codec=codec)


def _run(options: argparse.Namespace) -> int:
    from benchmark.api import run_experiment

    with _progress() as on_progress:
        result = run_experiment(
            _experiment(options),
            options.out,
            anchor=options.anchor,
            runner=options.runner,
            jobs=options.jobs,
            on_progress=on_progress,
        )
    _print_outcome(result)
    if result.tables:
        _print_tables(result.tables, options.anchor, options.out)
    if result.unfinished:
        print(f"\nnot in the table, or not of all images: {', '.join(result.unfinished)}")
    return FAILED_JOBS if result.outcome.failures or result.unfinished else 0


def _plan(options: argparse.Namespace) -> int:
    from benchmark.run.plan import plan_experiment

    with _progress() as on_progress:
        plan = plan_experiment(
            _experiment(options), options.out, options.runner, options.jobs, on_progress
        )
    print(plan.text())
    return 0


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on the standard error, which is told how many jobs are done, and of how many."""
    interval = 0.1 if sys.stderr.isatty() else 30
    with tqdm(unit="job", mininterval=interval, smoothing=0, disable=None) as bar:

        def show(done: int, jobs: int) -> None:
            if bar.total != jobs:
                bar.reset(jobs)
                bar.initial = done
            bar.update(done - bar.n)

        yield show


def _print_outcome(result: RunResult) -> None:
    outcome = result.outcome
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
        f": wall time / (their sum / workers) = "
        f"{result.wall_s * outcome.workers / outcome.work_s:.2f}"
        if outcome.work_s
        else ""
    )
    print(
        f"{outcome.finished} jobs in {result.wall_s:.0f} s ({outcome.reused} were done before); "
        f"encoding, decoding and analysis took {outcome.work_s:.0f} s on {outcome.workers} "
        f"workers{shares}"
    )


def _print_tables(tables: Tables, anchor: str, folder: Path) -> None:
    from benchmark.report.text import tables_text

    print(tables_text(tables.summary, tables.against(anchor), anchor))
    for note in tables.notes:
        print(f"{note}.")
    print(f"\nCurves: {folder}/curves.svg and .png, report: {folder}/report.html")


def _experiment(options: argparse.Namespace) -> Experiment:
    from benchmark.run.experiment import Experiment

    preset = PRESETS.get(options.preset)
    codecs = options.codecs or (preset.codecs if preset else None)
    codec_options = _codec_options(options.option)
    if options.checkpoints:
        for name in codecs or find_codecs():
            if takes_option(name, "checkpoints"):
                codec_options.setdefault(name, {})["checkpoints"] = options.checkpoints
    rates = options.rates or [
        rate for rate in (preset.rates if preset else ()) if rate.split(":")[0] in (codecs or ())
    ]
    return Experiment(
        dataset=options.dataset,
        limit=getattr(options, "limit", _FIRST_LOOK if options.dataset == "miniscapes" else None),
        codecs=codecs,
        codec_options=codec_options,
        rates=rates,
        analysis=None if options.analysis == "none" else options.analysis,
        ap=options.ap or (preset.ap if preset else "coco"),
        device=options.device,
        bitstreams=options.bitstreams,
        job_limit_s=options.job_limit,
        command=shlex.join(["python", "-m", "benchmark", *options.arguments]),
    )


def _report(options: argparse.Namespace) -> int:
    from benchmark.api import report_run

    tables = report_run(
        options.run, anchor=options.anchor, ap=options.ap, external=options.external
    )
    _print_tables(tables, options.anchor, options.run)
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
    for name in sorted(find_codecs()):
        try:
            codec = open_codec(name)
        except CodecUnavailable as error:
            print(f"{name:12} cannot run here: {error}")
        else:
            print(f"{name:12} {' '.join(point.name for point in codec.rate_points)}")
    return 0


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
