"""The analysis network at work: images in, detections with masks at full size out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import Tensor

from benchmark.analysis.heads import DETECTIONS, NMS_THRESHOLD, SCORE_THRESHOLD, Found
from benchmark.analysis.mask_rcnn import MaskRcnn
from benchmark.analysis.network import AnalysisNetwork, Detection, batches
from benchmark.analysis.weights_file import load_weights
from benchmark.codec import Image
from benchmark.datasets.dataset import Category


class MaskRcnnAnalysis(AnalysisNetwork):
    """The analysis network on a `MaskRcnn`.

    Images are judged at their own size. On the CPU with one thread
    (``torch.set_num_threads(1)``), and one image at a time, the detections are the same at every
    run.
    """

    def __init__(
        self,
        network: MaskRcnn,
        categories: Sequence[Category],
        *,
        name: str,
        weights_hash: str,
        device: torch.device | str = "cpu",
    ) -> None:
        self.name = name
        self.network = network.to(device)
        self.categories = tuple(categories)
        self._weights_hash = weights_hash
        self._device = device

    @classmethod
    def load(cls, path: Path, *, name: str = "mask-rcnn", device: str = "cpu") -> MaskRcnnAnalysis:
        """From a weights file.

        Raises:
            UsageError: if the file is missing or is no such network.
        """
        network, description = load_weights(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(network, description.categories, name=name, weights_hash=digest, device=device)

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [found for batch in batches(images) for found in self._detect(batch)]

    def identity(self) -> dict[str, str]:
        return {
            "name": self.name,
            "weights": self._weights_hash,
            "score_threshold": str(SCORE_THRESHOLD),
            "nms_threshold": str(NMS_THRESHOLD),
            "detections": str(DETECTIONS),
        }

    @torch.inference_mode()
    def _detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The objects in images of the same size."""
        size = (images[0].shape[0], images[0].shape[1])
        found = self.network(images_tensor(images, self._device))
        return [self._detections(its, size) for its in found]

    def _detections(self, found: Found, size: tuple[int, int]) -> list[Detection]:
        boxes, scores, labels, masks = (
            values.cpu().numpy()
            for values in (found.boxes, found.scores, found.labels, found.masks)
        )
        detections = []
        for box, score, label, mask in zip(boxes, scores, labels, masks, strict=True):
            pixels, corner = paste_mask(mask, box, size)
            if pixels.any():
                detections.append(
                    Detection(
                        category_id=self.categories[label - 1].id,
                        score=round(float(score), 5),
                        box=_rounded(box),
                        size=size,
                        counts=encode_mask(pixels, corner, size),
                    )
                )
        return detections


def _rounded(box: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(value) for value in box)
    return round(x0, 2), round(y0, 2), round(x1 - x0, 2), round(y1 - y0, 2)


def images_tensor(images: Sequence[Image], device: torch.device | str = "cpu") -> Tensor:
    """Images of the same size as N x 3 x H x W, RGB in [0, 1]."""
    pixels = torch.from_numpy(np.stack(images)).to(device)
    return pixels.permute(0, 3, 1, 2).to(torch.float32) / 255


def paste_mask(
    mask: NDArray[np.float32], box: NDArray[np.float32], size: tuple[int, int]
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The pixels of an object.

    A pixel belongs to it where the mask, interpolated bilinearly at the pixel's centre and zero
    outside, reaches 0.5. Only pixels inside the box are computed.

    Args:
        mask: M x M, probabilities in the cells of the box.
        box: x0, y0, x1, y1 in pixels.
        size: height and width of the image.

    Returns:
        bool, h x w, and the row and column of its first pixel in the image.
    """
    cells = len(mask)
    top, down = _interpolation(box[1], box[3], cells, size[0])
    left, across = _interpolation(box[0], box[2], cells, size[1])
    return down @ mask @ across.T >= 0.5, (top, left)


def _interpolation(
    low: float, high: float, cells: int, length: int
) -> tuple[int, NDArray[np.float32]]:
    """The first pixel between low and high, and the weights (pixels x cells) of the cells."""
    first = max(int(np.floor(low)), 0)
    last = min(int(np.ceil(high)), length)
    centres = np.arange(first, last, dtype=np.float32) + np.float32(0.5)
    positions = (centres - low) / max(high - low, 1e-6) * cells - 0.5
    distances = np.abs(positions[:, None] - np.arange(cells, dtype=np.float32))
    return first, np.maximum(1 - distances, 0).astype(np.float32)


def encode_mask(pixels: NDArray[np.bool_], corner: tuple[int, int], size: tuple[int, int]) -> str:
    """COCO's compressed run lengths of a mask that is given by a part of the image.

    The whole image is never built: with many small objects that takes most of the time.

    Args:
        pixels: bool, h x w.
        corner: row and column of its first pixel in the image.
        size: height and width of the image.
    """
    framed = np.pad(pixels.T, ((0, 0), (1, 1))).astype(np.int8)
    columns, rows = np.nonzero(np.diff(framed, axis=1))
    changes = (corner[1] + columns) * size[0] + corner[0] + rows
    # where a run ends in the last row and the next column's begins in the first, both are one
    changes, times = np.unique(changes, return_counts=True)
    ends = np.concatenate([[0], changes[times == 1], [size[0] * size[1]]])
    counts = np.diff(ends).tolist()
    if len(counts) > 1 and counts[-1] == 0:
        counts.pop()
    encoded = coco_mask.frPyObjects({"size": list(size), "counts": counts}, *size)
    return str(encoded["counts"], "ascii")
