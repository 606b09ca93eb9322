"""The wAP of single images, from the matches of all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

from benchmark.metrics.bootstrap import (
    Matches,
    average_precisions,
    coco_average_precision,
    matches_of,
)

_AT_ONCE = 25
"""Images evaluated in one piece: each looks at the detections of all images in it."""


def wap_of_images(evaluation: COCOeval) -> dict[int, float]:
    """Return the wAP in percent of each image with instances by itself, by its id.

    Its weights are the numbers of instances in the image. One image says little of a codec, but
    where two codecs or rates differ most is where to look.

    Args:
        evaluation: of all images; of several sizes of objects, the first.
    """
    classes, ids = matches_of(evaluation), evaluation.params.imgIds
    found: dict[int, float] = {}
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        own = [_of(matches, start, len(part)) for matches in classes]
        alone = np.eye(len(part), dtype=np.int64)
        wap, _ = average_precisions(own, alone, coco_average_precision)
        found |= {int(id_): float(its) for id_, its in zip(part, wap, strict=True)}
    return {id_: its for id_, its in found.items() if not np.isnan(its)}


def _of(matches: Matches, start: int, number: int) -> Matches:
    """The matches in some successive images."""
    there: NDArray[np.bool_] = (matches.image >= start) & (matches.image < start + number)
    return replace(
        matches,
        image=matches.image[there] - start,
        score=matches.score[there],
        right=matches.right[:, there],
        ignored=matches.ignored[:, there],
        instances=matches.instances[start : start + number],
    )
