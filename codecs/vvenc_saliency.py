"""VVC of images that are smoothed wherever an analysis network finds nothing.

A classical anchor with the knowledge of the neural codecs: LSMnet sees the image through the
analysis network's features, this encoder through the analysis network's detections. It differs from
saliency-driven coding as published (arXiv 2203.05944) in two points:

1. The background is blurred before coding. There, its blocks get a larger QP, which ffmpeg cannot
   ask libvvenc for.
2. What is kept are the masks of the network that judges. There, they are the boxes of YOLO, which
   does not know the judge.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from benchmark.analysis import AnalysisNetwork, open_analysis
from benchmark.codec import RatePoint
from benchmark.image import Image

from .ffmpeg import Vvenc


class VvencSaliency(Vvenc):
    """libvvenc with a smoothed background; its bitstreams are decoded as those of ``vvenc``.

    Args:
        analysis: the network whose detections are kept, as ``--analysis`` takes it; one that
            finds boxes only keeps nothing.
        ffmpeg, timeout: as of `FfmpegCodec`.
    """

    name = "vvenc-saliency"
    blur: ClassVar[float] = 8
    """Standard deviation of the Gaussian that smooths the background, in pixels."""

    margin: ClassVar[float] = 12
    """Pixels around each object that are kept; over as many more, the blur sets in."""

    def __init__(self, analysis: str = "miniscapes", ffmpeg: str = "", timeout: str = "") -> None:
        super().__init__(ffmpeg, timeout)
        self._analysis = analysis

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        return super().encode(self.smoothed(image), rate_point)

    def identity(self) -> dict[str, str]:
        network = self._network.identity()
        return {
            **super().identity(),
            **{f"analysis {key}": value for key, value in network.items()},
            "smoothing": f"Gaussian of {self.blur:g}, {self.margin:g} pixels from the objects",
        }

    def smoothed(self, image: Image) -> Image:
        """Return an image (uint8, H x W x 3) with the background blurred and the objects as is."""
        objects = np.zeros(image.shape[:2], bool)
        with _one_thread():
            (found,) = self._network.detect([image])
        for detection in found:
            objects |= detection.mask()
        blurred = gaussian_filter(image.astype(np.float32), (self.blur, self.blur, 0))
        distance = distance_transform_edt(~objects) if objects.any() else objects + np.inf
        kept = np.clip(2 - distance / self.margin, 0, 1)[..., None]
        return np.rint(kept * image + (1 - kept) * blurred).astype(np.uint8)

    @functools.cached_property
    def _network(self) -> AnalysisNetwork:
        return open_analysis(self._analysis)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch compute on one thread: with more, the detections may differ."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
