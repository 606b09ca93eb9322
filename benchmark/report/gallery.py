"""The pictures of a report: some images, as the codecs left them at about the same rates."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import contourpy
import joblib
import numpy as np
import pandas as pd
import PIL.Image

from benchmark.analysis.analysis_network import Detection
from benchmark.errors import UsageError
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.evaluation.pictures import SHOWN_SCORE, NotAvailable, RunPictures
from benchmark.evaluation.same_rate import comparable
from benchmark.image import Image
from benchmark.run.record import UNCOMPRESSED, Record

_MOST_IMAGES = 4
_MOST_PIXELS = 60_000_000
_WIDEST = 1024
_WEBP_QUALITY = 85


@dataclass(frozen=True)
class Outline:
    """A detection: its class, its score (0 to 1), and its mask as an SVG path in pixels."""

    category: str
    score: float
    path: str


@dataclass(frozen=True)
class GalleryPicture:
    """An image as a codec left it.

    Attributes:
        image, codec, rate_point: what it is; codec `UNCOMPRESSED` for the original.
        width, height: of the image, in pixels; those of the file may be smaller.
        bpp: of the bitstream.
        psnr: in dB; None for the original.
        wap: of the image by itself, in percent; None where it has no instances.
        source: the picture's file as a data URI.
        outlines: what was detected in it, with a score of at least `SHOWN_SCORE`.
    """

    image: str
    codec: str
    rate_point: str
    width: int
    height: int
    bpp: float
    psnr: float | None
    wap: float | None
    source: str
    outlines: Sequence[Outline]


@dataclass(frozen=True)
class Gallery:
    """Pictures to compare.

    Attributes:
        pictures: image by image; the original of each is the first.
        remark: which were chosen, and how they are shown.
        missing: what could not be had here, a line each.
    """

    pictures: Sequence[GalleryPicture]
    remark: str
    missing: Sequence[str]


def make_gallery(run: OpenedRun, summary: pd.DataFrame, single: pd.DataFrame) -> Gallery:
    """Decodes a small choice of a run's bitstreams.

    It is up to four images, half of them spread over the run and half those where most wAP is
    lost, and of each codec the rate point nearest to a rate that all reach, with the next lower
    and higher one.

    Args:
        run: the run.
        summary: of the run; only the rate points in it are shown.
        single: the wAP of each image by itself (`rate_point_table`).
    """
    try:
        pictures = RunPictures(run)
    except UsageError as error:
        return Gallery([], "", [str(error)])
    points = set(zip(summary["codec"], summary["rate_point"], strict=True))
    records = [record for record in pictures.records.values() if record.key[:2] in points]
    names = sorted({record.image for record in records})
    chosen = _choose(records, names[0]) if names else []
    width, height = next(((its.width, its.height) for its in records), (1, 1))
    scale = min(1, _WIDEST / width)
    room = _MOST_PIXELS / max(1, len(chosen) * width * height * scale**2)
    count = min(len(names), max(1, min(_MOST_IMAGES, int(room))))
    keys = zip(single["codec"], single["rate_point"], single["image"], strict=True)
    wap = dict(zip(keys, single["wap"], strict=True))
    worst = [name for name in _by_loss(wap, chosen) if name in names][: count // 2]
    others = [name for name in names if name not in worst]
    spread = count - len(worst)
    images = sorted([*worst, *(others[at * len(others) // spread] for at in range(spread))])
    wanted = [
        pictures.records[(*point, image)]
        for image in images
        for point in chosen
        if (*point, image) in pictures.records
    ]
    made = joblib.Parallel(n_jobs=-1, prefer="threads")(
        joblib.delayed(_picture)(pictures, record, wap.get(record.key)) for record in wanted
    )
    of_loss = f", {len(worst)} of them those where most wAP is lost" if worst else ""
    missing: dict[str, str] = {}
    for record, its in zip(wanted, made, strict=True):
        if isinstance(its, NotAvailable):
            missing.setdefault(record.codec, str(its))
    return Gallery(
        [its for its in made if isinstance(its, GalleryPicture)],
        f"{count} of {len(names)} images{of_loss}, and of each codec up to three rate points "
        f"around a rate that all reach; shown as WebP of quality {_WEBP_QUALITY}"
        + (f", {_WIDEST} pixels wide." if scale < 1 else "."),
        list(missing.values()),
    )


def _choose(records: Iterable[Record], image: str) -> list[tuple[str, str]]:
    """Codecs and rate points, the original first; by the rates of one image."""
    ladders: dict[str, list[Record]] = {}
    for record in records:
        if record.image == image:
            ladders.setdefault(record.codec, []).append(record)
    originals = ladders.pop(UNCOMPRESSED, [])
    several = [its for ladder in ladders.values() if len(ladder) > 1 for its in ladder]
    middle = comparable(several)
    chosen = [its.key[:2] for its in originals]
    for codec, ladder in sorted(ladders.items()):
        ladder.sort(key=lambda its: its.bytes)
        at = ladder.index(middle[codec]) if codec in middle else 0
        chosen += [its.key[:2] for its in ladder[max(0, at - 1) : at + 2]]
    return chosen


def _by_loss(
    wap: Mapping[tuple[str, str, str], float], points: Sequence[tuple[str, str]]
) -> list[str]:
    """Images by falling loss: what the rate points leave of the original's wAP, in their mean."""
    compressed = [point for point in points if point[0] != UNCOMPRESSED]
    losses: dict[str, float] = {}
    for (codec, _, image), original in wap.items():
        left = [wap[(*point, image)] for point in compressed if (*point, image) in wap]
        if codec == UNCOMPRESSED and left:
            losses[image] = original - sum(left) / len(left)
    return sorted(losses, key=losses.__getitem__, reverse=True)


def _picture(
    pictures: RunPictures, record: Record, wap: float | None
) -> GalleryPicture | NotAvailable:
    try:
        image = pictures.decoded(record)
    except NotAvailable as error:
        return error
    names = {category.id: category.name for category in pictures.run.categories}
    return GalleryPicture(
        image=record.image,
        codec=record.codec,
        rate_point=record.rate_point,
        width=record.width,
        height=record.height,
        bpp=record.bpp,
        psnr=record.qualities.get("psnr"),
        wap=wap,
        source=_data_uri(image),
        outlines=[
            Outline(names[its.category_id], its.score, _path(its))
            for its in pictures.detections(record)
            if its.score >= SHOWN_SCORE and its.category_id in names and its.counts is not None
        ],
    )


def _data_uri(image: Image) -> str:
    picture = PIL.Image.fromarray(image)
    if picture.width > _WIDEST:
        height = max(1, round(picture.height * _WIDEST / picture.width))
        picture = picture.resize((_WIDEST, height), PIL.Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=_WEBP_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _path(detection: Detection) -> str:
    """The outline of a mask as the data of an SVG path, in pixels."""
    mask = np.pad(detection.mask(), 1).astype(np.float32)
    lines = contourpy.contour_generator(z=mask).lines(0.5)
    # the centre of the padded array's pixel (1, 1) lies at (0.5, 0.5) in the image
    return "".join(
        "M" + "L".join(f"{x - 0.5:g} {y - 0.5:g}" for x, y in _corners(np.asarray(line))) + "Z"
        for line in lines
    )


def _corners(line: np.ndarray) -> np.ndarray:
    """A closed line without the points between others on a straight part."""
    before, after = line - np.roll(line, 1, axis=0), np.roll(line, -1, axis=0) - line
    bends = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    return line[bends] if bends.any() else line
