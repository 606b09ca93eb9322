"""The analysis network at work: images in, detections with masks at full size out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmark.analysis.analysis_network import AnalysisNetwork, Detection, batches
from benchmark.analysis.mask_rcnn.heads import DETECTIONS, NMS_THRESHOLD, SCORE_THRESHOLD, Found
from benchmark.analysis.mask_rcnn.network import MaskRcnn
from benchmark.analysis.mask_rcnn.weights_file import load_weights
from benchmark.analysis.masks import paste_mask
from benchmark.datasets.dataset import Category
from benchmark.image import Image, images_tensor


class MaskRcnnAnalysis(AnalysisNetwork):
    """A Mask R-CNN of this package with weights that `train analysis` wrote.

    Images are judged at their own size. On the CPU with one thread
    (``torch.set_num_threads(1)``), and one image at a time, the detections are the same at every
    run.
    """

    name = "weights"
    where = "FILE"

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
    def open(cls, where: str, device: str) -> MaskRcnnAnalysis:
        path = Path(where).expanduser()
        return cls.load(path, name=path.stem, device=device)

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

    def training_network(self) -> MaskRcnn:
        """Return the network with its weights fixed."""
        return self.network.requires_grad_(False)

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
                category_id = self.categories[label - 1].id
                detections.append(
                    Detection.from_mask(category_id, float(score), box, pixels, corner, size)
                )
        return detections
