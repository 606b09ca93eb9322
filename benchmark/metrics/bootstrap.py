"""Bootstrap intervals over images for average precisions.

The images of a resample are drawn with replacement, the same ones for all codecs, so that the
differences between codecs are paired (Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapters 6 and 13: percentile intervals). Detections are matched once; a resample is then a
count for each image, and its average precision is that of weighted detections.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval, Params

RESAMPLES = 1000
_INTERVAL = (2.5, 97.5)
_AT_ONCE = 50

_PARAMETERS = Params("segm")
_RECALLS = _PARAMETERS.recThrs
_IOUS = len(_PARAMETERS.iouThrs)

Counts = NDArray[np.int64]
"""How often a resample holds each image, of shape images x resamples."""


@dataclass(frozen=True)
class Resampled:
    """A rate point in all resamples; the arrays' first value is that of the images themselves.

    Attributes:
        codec, rate_point: its names.
        bpp: mean over the images, of shape 1 + resamples.
        wap, ap50: average precisions in percent; NaN in a resample without instances.
    """

    codec: str
    rate_point: str
    bpp: NDArray[np.float64]
    wap: NDArray[np.float64]
    ap50: NDArray[np.float64]


@dataclass(frozen=True)
class Matches:
    """The matches between the detections and the instances of one class.

    Detections are ordered by falling score, equal scores by image. All arrays' last axis is the
    detection, but that of ``instances``.

    Attributes:
        image: index of each detection's image.
        score: 0 to 1.
        right: bool, IoU thresholds x detections: matched to an instance.
        ignored: bool, IoU thresholds x detections: in a region that is not evaluated.
        instances: number of instances in each image, without ignored ones.
    """

    image: NDArray[np.int64]
    score: NDArray[np.float64]
    right: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    instances: NDArray[np.int64]


OfClass = Callable[[Matches, Counts], NDArray[np.float64]]
"""Returns the average precision of one class, 0 to 1, of shape IoU thresholds x resamples; 0
without instances."""


def draw(clusters: Sequence[Hashable], resamples: int, seed: int) -> Counts:
    """Draw whole clusters of images with replacement, as many clusters as there are.

    Images of one place resemble each other: where they do, intervals over images are too narrow,
    and those over places are right (Davison and Hinkley, Bootstrap Methods and their Application,
    1997, section 3.8).

    Args:
        clusters: that of each image; all different to draw single images.
        resamples: how often.
        seed: of the random numbers.

    Returns:
        The first column is all ones: the images themselves.
    """
    names = list(dict.fromkeys(clusters))
    own = np.array([names.index(cluster) for cluster in clusters])
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return np.vstack([np.ones((1, len(own)), np.int64), drawn[:, own]]).T


def in_pieces(counts: Counts) -> Iterator[Counts]:
    """The resamples, as many at once as the processor's cache holds."""
    for start in range(0, counts.shape[1], _AT_ONCE):
        yield counts[:, start : start + _AT_ONCE]


def matches_of(evaluation: COCOeval) -> list[Matches]:
    """Return the matches of each class, by rising id, from what pycocotools has evaluated.

    Of several sizes it is the first.
    """
    parameters = evaluation.params
    images, of_class = len(parameters.imgIds), len(evaluation.evalImgs) // len(parameters.catIds)
    return [
        _matches(evaluation.evalImgs[index * of_class : index * of_class + images])
        for index in range(len(parameters.catIds))
    ]


def average_precisions(
    classes: Sequence[Matches], counts: Counts, of_class: OfClass
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """wAP and AP50 in percent of each resample, NaN where it has no instances.

    They are those of a data set that holds each image as often as the resample does. wAP's weights
    are the numbers of instances in the resample.

    Args:
        classes: the matches of each class.
        counts: the resamples.
        of_class: how the average precision of one class is computed.
    """
    instances = np.array([matches.instances @ counts for matches in classes])
    found = np.array([of_class(matches, counts) for matches in classes])
    with np.errstate(invalid="ignore"):
        wap = (instances * found.mean(axis=1)).sum(axis=0) / instances.sum(axis=0)
        ap50 = found[:, 0].sum(axis=0) / np.count_nonzero(instances, axis=0)
    return 100 * wap, 100 * ap50


def intervals(points: Sequence[Resampled]) -> pd.DataFrame:
    """The 95 % percentile intervals of the rate points.

    Columns: codec, rate_point, and for each of bpp, wap and ap50 its value, NAME_low and
    NAME_high.
    """
    return pd.DataFrame(
        [
            {
                "codec": point.codec,
                "rate_point": point.rate_point,
                **interval("bpp", point.bpp),
                **interval("wap", point.wap),
                **interval("ap50", point.ap50),
            }
            for point in points
        ]
    )


def interval(name: str, values: NDArray[np.float64]) -> dict[str, float]:
    """Return a value and its 95 % percentile interval as NAME, NAME_low and NAME_high.

    Args:
        name: of the value.
        values: of the images themselves, and of all resamples; those without a value (NaN) are
            left out.
    """
    known = values[1:][~np.isnan(values[1:])]
    low, high = np.percentile(known, _INTERVAL) if known.size else (np.nan, np.nan)
    return {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def _matches(images: Sequence[Mapping[str, Any] | None]) -> Matches:
    """One class's matches from what pycocotools keeps of each image; None: it has nothing there."""
    known = [(index, image) for index, image in enumerate(images) if image is not None]
    score = np.concatenate([np.empty(0)] + [image["dtScores"] for _, image in known])
    order = np.argsort(-score, kind="stable")
    nothing = np.empty((_IOUS, 0), bool)
    matched, ignored = (
        np.concatenate([nothing] + [image[name].astype(bool) for _, image in known], axis=1)
        for name in ("dtMatches", "dtIgnore")
    )
    numbers = [len(image["dtScores"]) for _, image in known]
    instances = np.zeros(len(images), np.int64)
    for index, image in known:
        instances[index] = np.count_nonzero(np.equal(image["gtIgnore"], 0))
    return Matches(
        image=np.repeat([index for index, _ in known], numbers).astype(np.int64)[order],
        score=score[order],
        right=(matched & ~ignored)[:, order],
        ignored=ignored[:, order],
        instances=instances,
    )


def coco_average_precision(matches: Matches, counts: Counts) -> NDArray[np.float64]:
    """Average precision of one class, 0 to 1, of shape IoU thresholds x resamples.

    It equals what pycocotools finds on a data set that holds each image as often as the resample
    does, the copies of an image one after the other; 0 without instances.
    """
    detection, copy = _copies(matches, counts.max(axis=1))
    tied = np.flatnonzero(copy)
    pieces = []
    for piece in in_pieces(counts):
        weights = piece[matches.image[detection]]
        weights[tied] = weights[tied] >= copy[tied, None]
        reached = _recalls_reached(matches.instances @ piece)
        pieces.append(
            _weighted(matches.right[:, detection], matches.ignored[:, detection], weights, reached)
        )
    return np.concatenate(pieces, axis=1)


def _copies(
    matches: Matches, most: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The detections as often as they have to be told apart, in the order of their scores.

    Where several detections of an image have the same score, all of the image's first copy come
    before those of the second, so each copy counts on its own. Any other detection stands for
    all of its copies at once.

    Args:
        matches: of one class.
        most: how many copies of each image a resample holds at most.

    Returns:
        Indices of detections, and the number of the copy from 1; 0 for all copies at once.
    """
    image, score = matches.image, matches.score
    new = np.ones(len(image), bool)
    new[1:] = (image[1:] != image[:-1]) | (score[1:] != score[:-1])
    group = np.cumsum(new)
    tied = np.bincount(group)[group] > 1
    number = np.where(tied, most[image], 1)
    detection = np.repeat(np.arange(len(image)), number)
    copy = np.arange(1, len(detection) + 1) - np.repeat(np.cumsum(number) - number, number)
    order = np.lexsort((copy, group[detection]))
    return detection[order], np.where(tied[detection], copy, 0)[order]


def _weighted(
    right: NDArray[np.bool_],
    ignored: NDArray[np.bool_],
    weights: Counts,
    reached: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Average precision of weighted detections, of shape IoU thresholds x resamples.

    Precision is TP / (TP + FP), made non-increasing from the right, and averaged over the 101
    recalls. Only detections that are right need looking at: the precision falls with every wrong
    one, so none of its largest values lies there.

    Args:
        right, ignored: IoU thresholds x detections.
        weights: detections x resamples.
        reached: as `_recalls_reached` gives it.
    """
    resamples = np.arange(weights.shape[1])
    all_ = np.cumsum(weights, axis=0)
    found = np.zeros((_IOUS, len(resamples)))
    for threshold in range(_IOUS):
        its_right = np.flatnonzero(right[threshold])
        its_ignored = np.flatnonzero(ignored[threshold])
        true = np.cumsum(weights[its_right], axis=0)
        evaluated = all_[its_right]
        if its_ignored.size:
            before = np.cumsum(np.vstack([0 * resamples, weights[its_ignored]]), axis=0)
            evaluated -= before[np.searchsorted(its_ignored, its_right)]
        # pycocotools' own guard against a division by zero
        precision = true / (evaluated + np.spacing(1))
        envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        recalls = reached.ravel()[true * len(resamples) + resamples]
        found[threshold] = (envelope * np.diff(recalls, axis=0, prepend=0)).sum(axis=0)
    return found / len(_RECALLS)


def _recalls_reached(instances: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the 101 recalls are reached with a number of right detections.

    Args:
        instances: of each resample.

    Returns:
        Of shape right detections (0 to the largest number of instances) x resamples.
    """
    total = np.maximum(instances, 1)
    recalls = _RECALLS[:, None]
    needed = np.ceil(recalls * total).astype(np.int64)
    # the comparison itself decides, because a product of floats may be rounded past an integer
    needed -= (needed - 1) / total >= recalls
    needed += needed / total < recalls
    rows = int(total.max()) + 1
    flat = (needed * len(total) + np.arange(len(total))).ravel()
    numbers = np.bincount(flat, minlength=rows * len(total)).reshape(rows, len(total))
    return np.cumsum(numbers, axis=0)
