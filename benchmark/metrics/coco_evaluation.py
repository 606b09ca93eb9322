"""pycocotools' evaluation, set up once for all that uses it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

MOST_DETECTIONS = 100
"""Detections of an image and class that count, the best ones."""

_PARAMETERS = Params("segm")

SIZES: Mapping[str, tuple[float, float]] = dict(
    zip(_PARAMETERS.areaRngLbl, map(tuple, _PARAMETERS.areaRng), strict=True)
)
"""COCO's sizes of objects, from what to what area of the mask in pixels, both inclusive: all,
small (up to 32 x 32), medium and large (from 96 x 96)."""


def coco(content: Mapping[str, Any]) -> COCO:
    """Return annotations, or detections in the form of annotations, with pycocotools' index.

    Args:
        content: images, categories and annotations in COCO's format; pycocotools writes into it.
    """
    made = COCO()
    made.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        made.createIndex()
    return made


def load_results(truth: COCO, results: list[dict[str, Any]]) -> COCO:
    """Return detections in COCO's result format, as pycocotools reads them."""
    with contextlib.redirect_stdout(io.StringIO()):
        return truth.loadRes(results)


def match(truth: COCO, found: COCO, kind: str, sizes: Sequence[str] = ("all",)) -> COCOeval:
    """Match detections with instances, at most 100 an image and class.

    Args:
        truth: the annotations.
        found: the detections.
        kind: ``segm`` to compare masks, ``bbox`` to compare boxes.
        sizes: those of `SIZES` that are evaluated.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, found, kind)
        parameters = evaluation.params
        parameters.areaRng = [list(SIZES[size]) for size in sizes]
        parameters.areaRngLbl = list(sizes)
        parameters.maxDets = [MOST_DETECTIONS]
        evaluation.evaluate()
    return evaluation


def accumulate(evaluation: COCOeval) -> tuple[Any, Any]:
    """Return interpolated precision and the largest recall, -1 where a class has no instances.

    Their shapes are IoU thresholds (10) x recalls (101) x classes x sizes, and the same without
    the recalls.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    return evaluation.eval["precision"][..., 0], evaluation.eval["recall"][..., 0]
