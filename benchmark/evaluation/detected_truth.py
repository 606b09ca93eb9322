"""Judge without annotations: what is found in the uncompressed images is the truth.

Fischer, Kolb, Kränzler, Kaup, "Evaluation of Video Coding for Machines without Ground Truth"
(ICASSP 2022, arXiv 2205.06519).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.analysis.analysis_network import Detection
from benchmark.datasets.dataset import Dataset, Instance, Picture
from benchmark.errors import UsageError
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.run.record import UNCOMPRESSED

LEAST_SCORE = 0.5
"""Confidence from which on a detection is taken for an object."""

REMARK = (
    "Objects are not those of annotations, but what the analysis network found in the uncompressed "
    f"images with a confidence of at least {LEAST_SCORE}"
)


class DetectedTruth(Dataset):
    """The data set of a run, with detections in the uncompressed images as its instances."""

    def __init__(self, run: OpenedRun) -> None:
        """Read the detections.

        Raises:
            UsageError: if the run has none, or they are not as they were written.
        """
        self.name, self.pictures = run.dataset.name, run.dataset.pictures
        self.categories = run.categories
        originals = [record for record in run.records if record.codec == UNCOMPRESSED]
        if not originals:
            raise UsageError(
                f"{run.folder.path} holds no detections in uncompressed images, which take the "
                "place of annotations: finish the run with its command first"
            )
        names = {record.image_id: record.image for record in originals}
        found = run.folder.detections(UNCOMPRESSED, originals[0].rate_point, originals)
        self._found = {names[id_]: its for id_, its in found.items() if id_ in names}

    @classmethod
    def open(cls, where: str) -> Dataset:
        """Not asked for by name."""
        raise NotImplementedError

    def instances(self, picture: Picture) -> list[Instance]:
        return [
            Instance(one.category_id, _pixels(one), ignored=False)
            for one in self._found.get(picture.name, ())
            if one.score >= LEAST_SCORE
        ]

    def annotation_bytes(self, picture: Picture) -> bytes:
        return b""


def _pixels(found: Detection) -> NDArray[np.bool_]:
    """The mask; of a network that finds boxes only, the box."""
    mask = found.mask()
    if found.counts is None:
        x, y, width, height = (round(side) for side in found.box)
        mask[y : y + height, x : x + width] = True
    return mask
