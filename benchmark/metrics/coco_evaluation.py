"""pycocotools' evaluation, set up once for all that uses it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

MOST_DETECTIONS = 100
"""Detections of an image and class that count, the best ones."""


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


def match(truth: COCO, found: COCO, kind: str) -> COCOeval:
    """Match detections with instances of all sizes, at most 100 an image and class.

    Args:
        truth: the annotations.
        found: the detections.
        kind: ``segm`` to compare masks, ``bbox`` to compare boxes.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, found, kind)
        parameters = evaluation.params
        parameters.areaRng = parameters.areaRng[:1]
        parameters.areaRngLbl = parameters.areaRngLbl[:1]
        parameters.maxDets = [MOST_DETECTIONS]
        evaluation.evaluate()
    return evaluation


def accumulate(evaluation: COCOeval) -> Any:
    """Return interpolated precision, of shape IoU thresholds (10) x recalls (101) x classes."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, 0, 0]
