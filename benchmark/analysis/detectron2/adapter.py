"""Judges with Detectron2's Mask R-CNN (ResNet-50, feature pyramid), from its checkpoint alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.analysis.analysis_network import AnalysisNetwork, Detection, batches
from benchmark.analysis.detectron2.boxes import clipped, not_empty
from benchmark.analysis.detectron2.checkpoint import CHECKPOINT, read_checkpoint
from benchmark.analysis.detectron2.heads import DETECTIONS, NMS_THRESHOLD, SCORE_THRESHOLD
from benchmark.analysis.detectron2.network import LONG_SIDE, SHORT_SIDE, Detectron2MaskRcnn
from benchmark.analysis.labels import COCO
from benchmark.analysis.mask_rcnn.heads import Found
from benchmark.datasets.cityscapes import CATEGORIES
from benchmark.datasets.dataset import Category
from benchmark.errors import UsageError
from benchmark.image import Image
from benchmark.system.files import read_file

_MASK_THRESHOLD = 0.5
_CLASSIFIER = "roi_heads.box_predictor.cls_score.weight"
_NAMED = 3


class Detectron2Analysis(AnalysisNetwork):
    """Detectron2's Mask R-CNN R50-FPN, with Cityscapes' classes or with COCO's.

    Images are resized as Detectron2's settings for Cityscapes say: the shorter side to 1024
    pixels, or to less, so that the longer has no more than 2048.
    """

    name = "detectron2"
    where = "FILE"

    def __init__(
        self,
        network: Detectron2MaskRcnn,
        categories: Sequence[Category],
        *,
        name: str,
        weights_hash: str,
    ) -> None:
        """A network that is ready.

        Args:
            network: in evaluation mode, on the device where it is to compute; it holds the
                threshold and the number of detections.
            categories: what the network's labels 1, 2, ... mean.
            name: what to call it.
            weights_hash: of the file with its weights.
        """
        self.name = name
        self.network = network
        self.categories = tuple(categories)
        self._weights_hash = weights_hash

    @classmethod
    def open(cls, where: str, device: str) -> Detectron2Analysis:
        """Return the network that ``detectron2:WHERE`` asks for.

        Args:
            where: a checkpoint's path, perhaps with options behind it:
                ``PATH,score_threshold=0.3,detections=200``. Detectron2's own settings are 0.05
                and 100; the authors of the NCN detect with a threshold of 0.3.
            device: where it computes, ``cpu`` or ``cuda``.

        Raises:
            UsageError: if an option is unknown or out of range, or as `load`.
        """
        path, *options = re.split(r",(?=\w+=)", where)
        threshold, detections = SCORE_THRESHOLD, DETECTIONS
        for option in options:
            name, _, value = option.partition("=")
            if name == "score_threshold" and _is_share(value):
                threshold = float(value)
            elif name == "detections" and value.isdecimal() and int(value) > 0:
                detections = int(value)
            else:
                raise UsageError(
                    f"detectron2:{where}: {option!r} is no option: there are score_threshold=T "
                    f"with T from 0 to 1 ({SCORE_THRESHOLD}), and detections=N with N above 0 "
                    f"({DETECTIONS})"
                )
        return cls.load(
            Path(path).expanduser(), device=device, score_threshold=threshold, detections=detections
        )

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        device: str = "cpu",
        score_threshold: float = SCORE_THRESHOLD,
        detections: int = DETECTIONS,
    ) -> Detectron2Analysis:
        """From a checkpoint, ``.pkl`` or ``.pth``, of a Mask R-CNN R50-FPN with 8 or 80 classes.

        Raises:
            UsageError: if the file is missing or holds anything else.
        """
        content = read_file(path, CHECKPOINT)
        tensors = read_checkpoint(content, path)
        classes = _classes(tensors, path)
        categories = _categories(classes, path)
        network = Detectron2MaskRcnn(classes, score_threshold, detections)
        _load_tensors(network, tensors, path)
        return cls(
            network.eval().requires_grad_(False).to(device),
            categories,
            name=path.stem,
            weights_hash=hashlib.sha256(content).hexdigest(),
        )

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [found for batch in batches(images) for found in self._detect(batch)]

    def identity(self) -> dict[str, str]:
        return {
            "name": self.name,
            "weights": self._weights_hash,
            "size": f"{SHORT_SIDE}, at most {LONG_SIDE}",
            "score_threshold": str(self.network.roi_heads.score_threshold),
            "nms_threshold": str(NMS_THRESHOLD),
            "detections": str(self.network.roi_heads.detections),
        }

    def training_network(self) -> Detectron2MaskRcnn:
        return self.network

    def _resized(self, image: Image) -> Image:
        """As Detectron2 does: 8 bits a value, bilinear, averaging where it gets smaller."""
        height, width = self.network.seen_size((image.shape[0], image.shape[1]))
        resample = PIL.Image.Resampling.BILINEAR
        return np.array(PIL.Image.fromarray(image).resize((width, height), resample))

    @torch.inference_mode()
    def _detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The objects in images of the same size."""
        size = (images[0].shape[0], images[0].shape[1])
        resized = _tensor([self._resized(image) for image in images])
        scale = [size[1] / resized.shape[3], size[0] / resized.shape[2]]
        found = self.network(resized.to(self.network.device))
        return [self._detections(its, scale, size) for its in found]

    def _detections(
        self, found: Found, scale: Sequence[float], size: tuple[int, int]
    ) -> list[Detection]:
        """The objects in an image of this size, `scale` times (x, y) as large as it was seen."""
        boxes = clipped(found.boxes.cpu() * torch.tensor([*scale, *scale]), size)
        scores, labels, masks = found.scores.cpu(), found.labels.cpu(), found.masks.cpu()
        detections = []
        for kept, box, score, label, mask in zip(
            not_empty(boxes), boxes, scores, labels, masks, strict=True
        ):
            if kept:
                pixels, corner = _paste(mask, box, size)
                number = self.categories[int(label) - 1].id
                detections.append(
                    Detection.from_mask(number, float(score), box.numpy(), pixels, corner, size)
                )
        return detections


def _is_share(text: str) -> bool:
    return re.fullmatch(r"\d*\.?\d+", text) is not None and float(text) <= 1


def _tensor(images: Sequence[Image]) -> Tensor:
    """N x 3 x H x W, blue, green, red, values 0 to 255."""
    return torch.from_numpy(np.stack(images)).flip(3).permute(0, 3, 1, 2).to(torch.float32)


def _paste(
    mask: Tensor, box: Tensor, size: tuple[int, int]
) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The pixels of an object, around its box, and the row and column of the first.

    A pixel belongs to it where the mask, interpolated bilinearly at the pixel's centre and zero
    outside, reaches 0.5. With Detectron2's own operation, because small objects have few pixels.
    """
    x0, y0, x1, y1 = box.unbind()
    grid_y, top = _positions(y0, y1, size[0])
    grid_x, left = _positions(x0, x1, size[1])
    grid = torch.stack(
        [grid_x[None].expand(len(grid_y), -1), grid_y[:, None].expand(-1, len(grid_x))], dim=2
    )
    pasted = functional.grid_sample(mask[None, None], grid[None], align_corners=False)
    return (pasted[0, 0] >= _MASK_THRESHOLD).numpy(), (top, left)


def _positions(low: Tensor, high: Tensor, length: int) -> tuple[Tensor, int]:
    """Where pixels lie in the box along one axis (-1 to 1 inside), and the first of them."""
    first = max(int(low.floor()) - 1, 0)
    last = min(int(high.ceil()) + 1, length)
    return (torch.arange(first, last) + 0.5 - low) / (high - low) * 2 - 1, first


def _classes(tensors: Mapping[str, Tensor], path: Path) -> int:
    """Number of classes, without the background."""
    if _CLASSIFIER not in tensors or tensors[_CLASSIFIER].ndim != 2:
        raise UsageError(f"{path} is no checkpoint of Detectron2's Mask R-CNN: no {_CLASSIFIER}")
    return len(tensors[_CLASSIFIER]) - 1


def _categories(classes: int, path: Path) -> Sequence[Category]:
    """What the network's labels mean, from 1."""
    for known in (CATEGORIES, COCO):
        if classes == len(known):
            return known
    raise UsageError(
        f"{path} has {classes} classes: there must be Cityscapes' {len(CATEGORIES)} or COCO's "
        f"{len(COCO)}"
    )


def _load_tensors(network: Detectron2MaskRcnn, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Gives a network its weights.

    Raises:
        UsageError: naming what is missing, unknown, or unlike this network.
    """
    expected = network.state_dict()
    # older checkpoints hold the constants too
    constants = {name: b for name, b in network.named_buffers() if name not in expected}
    for problem, names in (
        ("lacks", expected.keys() - tensors.keys()),
        ("has the unknown", tensors.keys() - expected.keys() - constants.keys()),
    ):
        if names:
            first = ", ".join(sorted(names)[:_NAMED])
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            raise UsageError(f"{path} is no Mask R-CNN R50-FPN: it {problem} {first}{more}")
    for name, value in (expected | constants).items():
        if name in tensors and tensors[name].shape != value.shape:
            raise UsageError(
                f"{path} is no Mask R-CNN R50-FPN: {name} has the shape "
                f"{tuple(tensors[name].shape)} instead of {tuple(value.shape)}"
            )
    for name, value in constants.items():
        if name in tensors and not tensors[name].to(value.dtype).allclose(value, atol=1e-3):
            raise UsageError(
                f"{path} was trained with other settings: {name} is "
                f"{tensors[name].flatten().tolist()} instead of {value.flatten().tolist()}"
            )
    network.load_state_dict({name: tensors[name] for name in expected})
