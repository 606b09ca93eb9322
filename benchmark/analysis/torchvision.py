"""Judge with torchvision's Mask R-CNN, trained on COCO."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import MaskRCNN, MaskRCNN_ResNet50_FPN_Weights
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import FrozenBatchNorm2d

from benchmark.analysis.analysis_network import AnalysisNetwork, Detection, batches
from benchmark.analysis.labels import COCO
from benchmark.errors import UsageError
from benchmark.image import Image, images_tensor
from benchmark.system.files import read_file

_URL = MaskRCNN_ResNet50_FPN_Weights.COCO_V1.url
_LABELS = 91  # COCO's largest id, and the background
_MASK_THRESHOLD = 0.5
_IDS = {category.id for category in COCO}  # some of the network's labels stand for no class


class TorchvisionAnalysis(AnalysisNetwork):
    """``maskrcnn_resnet50_fpn`` with torchvision's own settings."""

    name = "torchvision"
    where = "[FILE]"
    categories = COCO

    def __init__(self, network: MaskRCNN, *, weights_hash: str) -> None:
        """A network that is ready: in evaluation mode, on the device where it is to compute."""
        self.network = network
        self._weights_hash = weights_hash

    @classmethod
    def open(cls, where: str, device: str) -> TorchvisionAnalysis:
        return cls.load(Path(where).expanduser() if where else None, device=device)

    @classmethod
    def load(cls, path: Path | None = None, *, device: str = "cpu") -> TorchvisionAnalysis:
        """From torchvision's weights.

        Args:
            path: their file; None takes the one in torch's cache, which is downloaded if missing.
            device: where to compute, ``cpu`` or ``cuda``.

        Raises:
            UsageError: if the file is missing and cannot be downloaded, or holds anything else.
        """
        path = path or _cached()
        content = read_file(path, f"the weights of {_URL}")
        network = untrained()
        try:
            network.load_state_dict(torch.load(io.BytesIO(content), "cpu", weights_only=True))
        except Exception as error:  # torch raises many kinds for a file that is none of its own
            reason = str(error).partition("\n")[0]
            raise UsageError(f"{path} does not hold the weights of {_URL}: {reason}") from error
        network.eval().requires_grad_(False).to(device)
        return cls(network, weights_hash=hashlib.sha256(content).hexdigest())

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [found for batch in batches(images) for found in self._detect(batch)]

    def identity(self) -> dict[str, str]:
        heads = self.network.roi_heads
        (short_side,) = self.network.transform.min_size
        return {
            "name": self.name,
            "weights": self._weights_hash,
            "size": f"{short_side}, at most {self.network.transform.max_size}",
            "score_threshold": str(heads.score_thresh),
            "nms_threshold": str(heads.nms_thresh),
            "detections": str(heads.detections_per_img),
        }

    @torch.inference_mode()
    def _detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The objects in images of the same size."""
        network, size = self.network, (images[0].shape[0], images[0].shape[1])
        device = next(network.parameters()).device
        resized, _ = network.transform(list(images_tensor(images, device)))
        levels = network.backbone(resized.tensors)
        proposals, _ = network.rpn(resized, levels)
        found, _ = network.roi_heads(levels, proposals, resized.image_sizes)
        return [_detections(its, resized.image_sizes[0], size) for its in found]


def untrained() -> MaskRCNN:
    """torchvision's network with weights of no use, in the form that its COCO weights ask for."""
    norm = functools.partial(FrozenBatchNorm2d, eps=0.0)
    backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=norm)
    return MaskRCNN(backbone, _LABELS)


def _detections(
    found: Mapping[str, Tensor], resized: tuple[int, int], size: tuple[int, int]
) -> list[Detection]:
    """The objects in an image of this size, of what was found in it as it was resized."""
    boxes = resize_boxes(found["boxes"], resized, size)
    detections = []
    for box, score, label, mask in zip(
        *(values.cpu() for values in (boxes, found["scores"], found["labels"], found["masks"])),
        strict=True,
    ):
        if int(label) in _IDS:
            pixels, corner = _paste(mask, box, size)
            detections.append(
                Detection.from_mask(int(label), float(score), box.numpy(), pixels, corner, size)
            )
    return detections


def _paste(
    mask: Tensor, box: Tensor, size: tuple[int, int]
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The pixels of an object as torchvision places them, and the row and column of the first."""
    # alone, because the masks of a hundred objects at full size take gigabytes
    pasted = paste_masks_in_image(mask[None], box[None], size)[0, 0]
    return (pasted > _MASK_THRESHOLD).numpy(), (0, 0)


def _cached() -> Path:
    """The file in torch's cache.

    Raises:
        UsageError: if it is missing and cannot be downloaded.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(_URL).name
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # the end of the name is the beginning of the hash
            prefix = path.stem.rpartition("-")[2]
            torch.hub.download_url_to_file(_URL, str(path), hash_prefix=prefix)
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"{_URL} cannot be downloaded ({error}): put the file at {path}, or ask for "
                "torchvision:PATH"
            ) from error
    return path
