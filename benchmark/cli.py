"""The command line."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.cli_options import (
    FIRST_LOOK_IMAGES,
    CarryOut,
    add_check,
    add_figures,
    add_nothing,
    add_report,
    add_run,
    add_train,
    asked,
    asked_ap,
    codec_options,
)
from benchmark.errors import CodecUnavailable, UsageError
from benchmark.file_commands import FILE_COMMANDS, FileCommand
from benchmark.options_file import with_options_of_files
from benchmark.system.output import (
    drop_unwritten,
    plugins_aside,
    reader_is_gone,
    take_any_terminal,
)
from benchmark.system.terminal import progress, show_log

if TYPE_CHECKING:
    from benchmark.codec import TrainableCodec
    from benchmark.finished_run import Run

FAILED_JOBS = 1
WRONG_USE = 2
INTERRUPTED = 130
OUTPUT_CLOSED = 141
"""As of a program that SIGPIPE ended: 128 + 13."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_GOING_ON = {"run", "plan", "train"}
"""The commands that go on from what they have finished."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; return its exit code: 0, 1 for failed jobs, 2 for wrong use."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    take_any_terminal()
    try:
        try:
            given = with_options_of_files(given)
            options = _parser(given).parse_args(given, argparse.Namespace(arguments=given))
            show_log()
            return options.command(options)
        finally:
            sys.stdout.flush()
    except (UsageError, CodecUnavailable) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("benchmark: interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        return _end_with(error, given)


def _end_with(error: OSError, given: Sequence[str]) -> int:
    """Say what the system refused; return the exit code."""
    has_seen_enough = isinstance(error, BrokenPipeError) and reader_is_gone()
    drop_unwritten()
    if has_seen_enough:
        return OUTPUT_CLOSED
    advice = "; make room and run again, it goes on" if error.errno in _FULL else ""
    kept = f": finished work is kept{advice}" if set(given[:1]) & _GOING_ON else ""
    print(f"benchmark: {error}{kept}", file=sys.stderr)
    return FAILED_JOBS


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
    carry_out: CarryOut


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


def _run(options: argparse.Namespace) -> int:
    import benchmark

    with plugins_aside(), progress() as on_progress:
        run = benchmark.run(**asked(options), anchor=options.anchor, on_progress=on_progress)
    _print_outcome(run)
    if run.tables:
        _print_tables(run)
    if run.unfinished:
        print(f"\nwithout results of all images: {', '.join(run.unfinished)}")
    failures = run.outcome is not None and run.outcome.failures
    return FAILED_JOBS if failures or run.unfinished else 0


def _plan(options: argparse.Namespace) -> int:
    import benchmark

    with plugins_aside(), progress() as on_progress:
        plan = benchmark.plan(**asked(options), on_progress=on_progress)
    print(plan.text())
    return 0


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
        f"encoding, decoding, analysis and comparing took {outcome.work_s:.0f} s "
        f"on {outcome.workers} workers{shares}"
    )


def _print_tables(run: Run) -> None:
    from benchmark.report.text import outcome_text

    assert run.tables is not None
    print(outcome_text(run.tables, run.anchor, run.path))


def _report(options: argparse.Namespace) -> int:
    import benchmark

    with plugins_aside():
        run = benchmark.report(
            options.run,
            anchor=options.anchor,
            ap=asked_ap(options),
            external=options.external,
            resample=options.resample,
        )
    _print_tables(run)
    return 0


def _figures(options: argparse.Namespace) -> int:
    from benchmark.figures.draw import draw_figures

    with plugins_aside():
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

    with plugins_aside():
        codecs = list_codecs()
    for codec in codecs:
        shown = f"cannot run here: {codec.problem}" if codec.problem else None
        print(f"{codec.name:12} {shown or ' '.join(codec.rate_points)}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from benchmark.contracts import check

    options_given = codec_options([f"{options.plugin}.{its}" for its in options.option])
    passed = True
    results = iter(check(options.plugin, options_given.get(options.plugin, {})))
    while True:
        with plugins_aside():
            result = next(results, None)
        if result is None:
            break
        print(result.line(), flush=True)
        passed &= result.passed
    return 0 if passed else FAILED_JOBS


def _train_analysis(options: argparse.Namespace) -> int:
    import torch

    from benchmark.analysis.mask_rcnn.training import AnalysisRecipe, train_analysis
    from benchmark.datasets import open_training_split
    from benchmark.metrics.average_precision import wap_of
    from benchmark.training.loop import computes_in_bfloat16

    if options.threads:
        torch.set_num_threads(options.threads)
    training, validation = open_training_split(options.dataset, options.scenes)
    recipe = AnalysisRecipe(
        iterations=options.iterations,
        batch=options.batch,
        learning_rate=options.learning_rate,
        bfloat16=computes_in_bfloat16(options.device),
        seed=options.seed,
    )
    weights = train_analysis(
        training,
        options.out,
        recipe,
        start=options.start,
        evaluate=lambda network: wap_of(network, validation),
        evaluate_every=max(1, options.iterations // 5),
        device=options.device,
        devices=options.devices,
    )
    print(f"{weights}: use it with --analysis weights:{weights}")
    return 0


def _train_codec(options: argparse.Namespace) -> int:
    codec: type[TrainableCodec] = options.codec
    with plugins_aside():
        result = codec.train(options)
    print(result)
    return 0


def _of_files(command: FileCommand) -> _Command:
    """A command that prints what it yields: lines, and whether each is of something that failed."""

    def carry_out(options: argparse.Namespace) -> int:
        failed = False
        outcomes = command.carry_out(options)
        while True:
            with plugins_aside():
                outcome = next(outcomes, None)
            if outcome is None:
                return FAILED_JOBS if failed else 0
            print(outcome.line, file=sys.stderr if outcome.failed else sys.stdout, flush=True)
            failed |= outcome.failed

    return _Command(command.help, command.description, command.add_options, carry_out)


_COMMANDS = {
    "run": _Command(
        "compress, decode, judge, compare",
        "Compresses images with codecs at several rate points, lets the analysis network judge the "
        "decoded images, and compares the codecs. Without options: a first look at "
        f"{FIRST_LOOK_IMAGES} images of Miniscapes with all codecs that can run here. Run again "
        "after any interruption, it goes on.",
        add_run,
        _run,
    ),
    "plan": _Command(
        "how long a run will take",
        "Codes and judges one image as `run` with the same options would, and says how long the "
        "whole will take, and how much disk and memory. What was done is kept: the run goes on "
        "from it.",
        add_run,
        _plan,
    ),
    "report": _Command("show a run again", "Evaluates a run again.", add_report, _report),
    "figures": _Command(
        "the paper's figures, from a run",
        "Draws, as SVG, PDF and PNG: the curves, the relative curve difference, a comparison of "
        "decoded images, and for codecs that mask latents their masks.",
        add_figures,
        _figures,
    ),
    "codecs": _Command(
        "list all codecs, and why one cannot run here", "Lists all codecs.", add_nothing, _codecs
    ),
    "check": _Command(
        "put a plug-in through its contract",
        "Puts a codec, a runner, a data set or an analysis network through all that the harness "
        "asks of it, and prints a line per check.",
        add_check,
        _check,
    ),
    "train": _Command(
        "train a network",
        "Trains the analysis network or a codec.",
        lambda train: add_train(train, _train_analysis, _train_codec),
        lambda _: 0,
    ),
    **{name: _of_files(command) for name, command in FILE_COMMANDS.items()},
}
