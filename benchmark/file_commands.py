"""The commands on files: encode one, decode one, export a run's decoded images, merge runs."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli_options import codec_options
from benchmark.errors import UsageError
from benchmark.system.files import read_file, write_whole

if TYPE_CHECKING:
    from benchmark.codec import Codec
    from benchmark.image import Image


@dataclass(frozen=True)
class Done:
    """A line about what a command did, or failed to do."""

    line: str
    failed: bool = False


@dataclass(frozen=True)
class FileCommand:
    """A command of the command line that yields what it did.

    Attributes:
        help: one line in the list of commands.
        description: in its own help.
        add_options: adds its options.
        carry_out: carries it out.
    """

    help: str
    description: str
    add_options: Callable[[argparse.ArgumentParser], None]
    carry_out: Callable[[argparse.Namespace], Iterator[Done]]


def _add_codec(command: argparse.ArgumentParser) -> None:
    from benchmark.codec import CODECS

    command.add_argument("codec", metavar="CODEC", help=f"one of {CODECS.forms()}")
    command.add_argument("file", type=Path, metavar="FILE", help="the file to read")
    command.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the codec"
    )


def _add_encode(encode: argparse.ArgumentParser) -> None:
    _add_codec(encode)
    encode.add_argument(
        "-o", "--out", type=Path, required=True, metavar="OUT", help="the bitstream"
    )
    encode.add_argument(
        "--rate",
        metavar="POINT",
        help="rate point, for example qp32, qp32@0.5 (coded at half the size), or bpp0.1 (the most "
        "bits per pixel); default: the middle one of the codec's own",
    )


def _add_decode(decode: argparse.ArgumentParser) -> None:
    _add_codec(decode)
    decode.add_argument("-o", "--out", type=Path, required=True, metavar="PNG", help="the image")
    decode.add_argument(
        "--rate",
        metavar="POINT",
        help="that of the encoding; needed where it has a scale: qp32@0.5",
    )


def _add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument("run", type=Path, metavar="RUN", help="run folder")
    export.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="takes CODEC/RATE/IMAGE.png"
    )
    export.add_argument("--codecs", nargs="+", metavar="NAME", help="default: all")
    export.add_argument("--rates", nargs="+", metavar="POINT", help="default: all")


def _encode(options: argparse.Namespace) -> Iterator[Done]:
    from benchmark import coding
    from benchmark.datasets.dataset import read_image

    codec = _codec(options)
    points = codec.rate_points
    point = codec.rate_point(options.rate) if options.rate else points[len(points) // 2]
    image = read_image(options.file)
    with _named(options):
        coding.prepare(codec, point)
        coded = coding.encode(codec, image, point)
    write_whole(options.out, coded.bitstream)
    height, width = image.shape[:2]
    size, found = len(coded.bitstream), f", with {coded.setting}" if coded.setting else ""
    yield Done(
        f"{options.out}: {size} bytes, {8 * size / (height * width):.4f} bits per pixel at "
        f"{point.name}{found}"
    )


def _decode(options: argparse.Namespace) -> Iterator[Done]:
    from benchmark import coding

    codec = _codec(options)
    bitstream = read_file(options.file, f"a bitstream of {codec.name}")
    scale = codec.rate_point(options.rate).scale if options.rate else 1.0
    with _named(options):
        decoded = coding.decode(codec, bitstream, scale=scale)
    write_whole(options.out, _png(decoded))
    yield Done(f"{options.out}: {decoded.shape[1]} x {decoded.shape[0]}")


def _export(options: argparse.Namespace) -> Iterator[Done]:
    from benchmark.evaluation.opened_run import OpenedRun
    from benchmark.evaluation.pictures import NotAvailable, RunPictures
    from benchmark.run.record import UNCOMPRESSED
    from benchmark.run.run_folder import RunFolder

    run = OpenedRun(RunFolder(options.run))
    coded = [record for record in run.records if record.codec != UNCOMPRESSED]
    for option, asked, known in (
        ("codecs", options.codecs, {record.codec for record in coded}),
        ("rates", options.rates, {record.rate_point for record in coded}),
    ):
        if unknown := sorted(set(asked or ()) - known):
            raise UsageError(
                f"--{option} {' '.join(unknown)}: {options.run} has {', '.join(sorted(known))}"
            )
    chosen = [
        record
        for record in coded
        if (not options.codecs or record.codec in options.codecs)
        and (not options.rates or record.rate_point in options.rates)
    ]
    if not chosen:
        raise UsageError(f"{options.run} holds no decoded image of these codecs and rate points")
    pictures, written = RunPictures(run), 0
    for record in chosen:
        try:
            decoded = pictures.decoded(record)
        except NotAvailable as error:
            yield Done(f"not exported: {error}", failed=True)
            continue
        file = options.out / record.codec / record.rate_point / f"{record.image}.png"
        write_whole(file, _png(decoded))
        written += 1
    yield Done(f"{options.out}: {written} of {len(chosen)} images")


def _add_merge(merge: argparse.ArgumentParser) -> None:
    merge.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders, only read")
    merge.add_argument("--out", type=Path, required=True, metavar="RUN", help="a new run folder")


def _merge(options: argparse.Namespace) -> Iterator[Done]:
    from benchmark.merging import merge_runs
    from benchmark.report.text import outcome_text

    run, brought = merge_runs(options.runs, options.out)
    for source in brought:
        twice = source.results - source.new
        already = f", {twice} of which were there already" if twice else ""
        yield Done(f"{source.path}: {source.results} results{already}")
    yield Done(f"{run.path}: {sum(source.new for source in brought)} results")
    if run.tables is None:
        yield Done("no rate point has results of all images yet")
    else:
        yield Done(f"\n{outcome_text(run.tables, run.anchor, run.path)}")


def _codec(options: argparse.Namespace) -> Codec:
    from benchmark.codec import open_codec

    given = codec_options([f"{options.codec}.{its}" for its in options.option])
    return open_codec(options.codec, given.get(options.codec, {}))


@contextlib.contextmanager
def _named(options: argparse.Namespace) -> Iterator[None]:
    """Turn whatever an adapter raises into one line that says which file it was about."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{options.file}: codec {options.codec}: {reason}") from error


def _png(image: Image) -> bytes:
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


FILE_COMMANDS = {
    "encode": FileCommand(
        "code one image file with a codec",
        "Codes an image with a codec into a bitstream file. An odd last row or column is coded "
        "once more.",
        _add_encode,
        _encode,
    ),
    "decode": FileCommand(
        "decode a codec's file to PNG",
        "Decodes a codec's bitstream file, and writes the image as PNG.",
        _add_decode,
        _decode,
    ),
    "export": FileCommand(
        "a run's decoded images as PNG",
        "Decodes the bitstreams of a run folder, compares them with the hashes in its records, and "
        "writes the images as PNG.",
        _add_export,
        _export,
    ),
    "merge": FileCommand(
        "several runs as one",
        "Merges run folders that were made apart, with other codecs, rate points or images of the "
        "same data set, into a new one, and evaluates it.",
        _add_merge,
        _merge,
    ),
}
