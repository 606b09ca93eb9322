"""A small Mask R-CNN: residual network, feature pyramid, box and mask heads.

It follows He et al., "Mask R-CNN" (ICCV 2017), on torchvision's parts, with three changes for
images of 512 x 256 whose objects are often no larger than 20 pixels: anchors from 12 pixels on,
features and mask targets sampled at pixel centres (torchvision's are half a pixel off), and
batch norm throughout, so that it can be trained from nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.models.resnet import BasicBlock
from torchvision.ops import box_iou, roi_align
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from benchmark.analysis.network import AnalysisNetwork, Detection
from benchmark.codec import Image
from benchmark.datasets.dataset import Category, Instance
from benchmark.errors import UsageError

WIDTH = 32
"""Channels of the first stage; a ResNet-18 has 64."""

SCORE_THRESHOLD = 0.05
NMS_THRESHOLD = 0.5
DETECTIONS = 100
"""The most objects that are found in an image."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Per channel (RGB, of values in [0, 1]): the network sees (image - MEAN) / STD."""

_STRIDES = (4, 8, 16, 32)
_ANCHOR_SIZES = ((10,), (20,), (40,), (80,), (160,))
_RATIOS = (0.6, 1.2, 2.7)  # height by width: cars, things seen from behind, people
_DIVISOR = 32
_COVERED = 0.5
_OBJECT_IOU = 0.5
_KIND = "benchmark Mask R-CNN"


@dataclass(frozen=True)
class Objects:
    """The annotated objects of an image, as the network is trained on them.

    Attributes:
        boxes: float32, N x 4: x0, y0, x1, y1 in pixels, the last row and column included, so
            that x1 - x0 is the width.
        labels: int64, N: 1 for the first category; 0 is the background.
        masks: uint8, N x H x W.
        ignored: bool, H x W: regions from which nothing is learned.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    ignored: Tensor

    @classmethod
    def of(
        cls, instances: Sequence[Instance], categories: Sequence[Category], size: tuple[int, int]
    ) -> Objects:
        """From a data set's instances in an image of the given height and width."""
        labels = {category.id: number for number, category in enumerate(categories, 1)}
        visible = [instance for instance in instances if instance.mask.any()]
        learned = [instance for instance in visible if not instance.ignored]
        ignored = np.zeros(size, bool)
        for instance in visible:
            if instance.ignored:
                ignored |= instance.mask
        masks = np.array([instance.mask for instance in learned], np.uint8)
        return cls(
            torch.tensor([box_of(i.mask) for i in learned], dtype=torch.float32).reshape(-1, 4),
            torch.tensor([labels[i.category_id] for i in learned], dtype=torch.int64),
            torch.from_numpy(masks.reshape(-1, *size)),
            torch.from_numpy(ignored),
        )

    def to(self, device: torch.device | str) -> Objects:
        """The same on another device."""
        return Objects(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def box_of(mask: NDArray[Any]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 around the pixels of a mask (H x W) that has some."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


class MaskRcnn(nn.Module):
    """The network; ``MaskRcnn(width=32)`` has 4.1 million parameters for eight classes."""

    def __init__(self, classes: int = 8, width: int = WIDTH) -> None:
        """An untrained network.

        Args:
            classes: number of classes, without the background.
            width: channels of the first stage; those of all others are in proportion.
        """
        super().__init__()
        self.classes = classes
        self.width = width
        self.stride16_channels = 4 * width
        self.body = _ResNet(width)
        self.pyramid = FeaturePyramidNetwork(
            [width, 2 * width, 4 * width, 8 * width],
            2 * width,
            extra_blocks=LastLevelMaxPool(),
            norm_layer=nn.BatchNorm2d,
        )
        self.rpn = _proposal_network(2 * width)
        self.heads = _heads(width, classes)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).reshape(1, 3, 1, 1), persistent=False)

    def stride16_features(self, images: Tensor) -> Tensor:
        """The residual network's third stage, before the pyramid.

        Args:
            images: N x 3 x H x W, RGB in [0, 1].

        Returns:
            N x `stride16_channels` x H/16 x W/16 (rounded up), not negative.
        """
        return self.body.to_stride16(self._normalised(images))[-1]

    def task_loss(self, images: Tensor, targets: Sequence[Objects]) -> dict[str, Tensor]:
        """The training losses of images, differentiable with respect to the images.

        Batch norm stays in the mode in which the network is: call ``eval()`` (and
        ``requires_grad_(False)``) first where the weights are fixed, as they are when a codec is
        trained for the task; ``train()`` where the network itself is trained. Which anchors and
        proposals are compared is drawn from torch's global random numbers.

        Args:
            images: N x 3 x H x W, RGB in [0, 1].
            targets: the objects of each image.

        Returns:
            Five scalars: objectness, proposal, class, box and mask loss. Their sum is trained.
        """
        marked = [vars(target) for target in targets]
        with _sampling(self.rpn, self.heads):
            padded, detail, features = self._features(images)
            proposals, rpn_losses = self.rpn(padded, features, marked)
            _, losses = self.heads(
                [detail, *features.values()], proposals, padded.image_sizes, marked
            )
        return {
            "objectness": rpn_losses["loss_objectness"],
            "proposal": rpn_losses["loss_rpn_box_reg"],
            **losses,
        }

    def forward(self, images: Tensor) -> list[Found]:
        """The objects in images (N x 3 x H x W, RGB in [0, 1]), by falling score."""
        padded, detail, features = self._features(images)
        proposals, _ = self.rpn(padded, features)
        found, _ = self.heads([detail, *features.values()], proposals, padded.image_sizes)
        return found

    def _normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std

    def _features(self, images: Tensor) -> tuple[ImageList, Tensor, OrderedDict[str, Tensor]]:
        """The padded images, the stem's features (stride 2), the pyramid (strides 4 to 64)."""
        height, width = images.shape[-2:]
        right, below = -width % _DIVISOR, -height % _DIVISOR
        padded = functional.pad(self._normalised(images), (0, right, 0, below))
        padded = padded.contiguous(memory_format=torch.channels_last)
        detail, *stages = self.body(padded)
        features = self.pyramid(OrderedDict((str(n), stage) for n, stage in enumerate(stages)))
        return ImageList(padded, [(height, width)] * len(images)), detail, features


@dataclass(frozen=True)
class Found:
    """What the network finds in one image.

    Attributes:
        boxes: N x 4: x0, y0, x1, y1 in pixels.
        scores: N, falling.
        labels: N, from 1.
        masks: N x 28 x 28, the probability of the object in each cell of its box.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Tensor


class _ResNet(nn.Module):
    """ResNet-18 (He et al., CVPR 2016) of a chosen width, with ResNet-D's shortcuts."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def to_stride16(self, images: Tensor) -> list[Tensor]:
        stages = [self.stem(images)]
        stages.append(self.layer1(self.pool(stages[-1])))
        stages.append(self.layer2(stages[-1]))
        stages.append(self.layer3(stages[-1]))
        return stages

    def forward(self, images: Tensor) -> list[Tensor]:
        stages = self.to_stride16(images)
        return [*stages, self.layer4(stages[-1])]


def _stage(channels_in: int, channels: int, stride: int) -> nn.Sequential:
    shortcut = None
    if channels_in != channels:
        # Averages before a 1x1 convolution of stride 1 (He et al., "Bag of tricks", CVPR 2019,
        # ResNet-D): no pixel is skipped. And with few channels the 1x1 convolution of stride 2
        # of torch 2.14 writes past its memory on a CPU.
        shortcut = nn.Sequential(
            nn.AvgPool2d(stride, stride, ceil_mode=True),
            nn.Conv2d(channels_in, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
    return nn.Sequential(
        BasicBlock(channels_in, channels, stride, shortcut), BasicBlock(channels, channels)
    )


def _proposal_network(channels: int) -> _ProposalNetwork:
    anchors = AnchorGenerator(_ANCHOR_SIZES, (_RATIOS,) * len(_ANCHOR_SIZES))
    return _ProposalNetwork(
        anchors,
        RPNHead(channels, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=128,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 300, "testing": 300},
        post_nms_top_n={"training": 256, "testing": 256},
        nms_thresh=0.7,
    )


def _heads(width: int, classes: int) -> _Heads:
    channels, hidden = 2 * width, 8 * width
    return _Heads(
        box_roi_pool=_DetailedPool(7, width, channels),
        box_head=TwoMLPHead(channels * 7 * 7, hidden),
        box_predictor=FastRCNNPredictor(hidden, classes + 1),
        fg_iou_thresh=_OBJECT_IOU,
        bg_iou_thresh=_OBJECT_IOU,
        batch_size_per_image=96,
        positive_fraction=0.33,
        bbox_reg_weights=None,
        score_thresh=SCORE_THRESHOLD,
        nms_thresh=NMS_THRESHOLD,
        detections_per_img=DETECTIONS,
        mask_roi_pool=_DetailedPool(14, width, channels),
        mask_head=MaskRCNNHeads(channels, (channels,) * 3, 1, norm_layer=nn.BatchNorm2d),
        mask_predictor=MaskRCNNPredictor(channels, channels, classes + 1),
    )


class _ProposalNetwork(RegionProposalNetwork):
    """torchvision's, but nothing is learned from anchors inside ignored regions."""

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        for label, anchor, target in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & _covered(anchor, target["ignored"])] = -1
        return labels, boxes


class _Heads(RoIHeads):
    """torchvision's box and mask heads, sampling at pixel centres and passing ignored regions."""

    def forward(
        self,
        features: list[Tensor],
        proposals: list[Tensor],
        image_sizes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[Found], dict[str, Tensor]]:
        levels = features[: 1 + len(_STRIDES)]
        if targets is None:
            return self._found(levels, proposals, image_sizes), {}
        return [], self._losses(levels, proposals, targets)

    def _losses(
        self, levels: list[Tensor], proposals: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        clear = [
            boxes[_is_object(boxes, target["boxes"]) | ~_covered(boxes, target["ignored"])]
            for boxes, target in zip(proposals, targets, strict=True)
        ]
        boxes, matches, labels, deltas = self.select_training_samples(clear, targets)
        pooled = self.box_roi_pool(levels, boxes)
        logits, regression = self.box_predictor(self.box_head(pooled))
        if len(logits):
            class_loss, box_loss = fastrcnn_loss(logits, regression, labels, deltas)
        else:  # all proposals lie in ignored regions: means over nothing would not be numbers
            class_loss, box_loss = logits.sum(), regression.sum()
        chosen = [label > 0 for label in labels]
        mask_loss = self._mask_loss(
            levels,
            [box[keep] for box, keep in zip(boxes, chosen, strict=True)],
            torch.cat([label[keep] for label, keep in zip(labels, chosen, strict=True)]),
            [
                target["masks"][match[keep]]
                for target, match, keep in zip(targets, matches, chosen, strict=True)
            ],
        )
        return {"class": class_loss, "box": box_loss, "mask": mask_loss}

    def _mask_loss(
        self, levels: list[Tensor], boxes: list[Tensor], labels: Tensor, masks: list[Tensor]
    ) -> Tensor:
        logits = self._mask_logits(levels, boxes, labels)
        if not len(labels):
            return logits.sum()
        whole = torch.cat(masks)[:, None].to(torch.float32)
        cells = logits.shape[-1]
        numbered = torch.cat(
            [torch.arange(len(whole), device=whole.device)[:, None], torch.cat(boxes)], dim=1
        )
        wanted = roi_align(whole, numbered, cells, aligned=True)[:, 0]
        return functional.binary_cross_entropy_with_logits(logits.float(), wanted)

    def _mask_logits(self, levels: list[Tensor], boxes: list[Tensor], labels: Tensor) -> Tensor:
        logits = self.mask_predictor(self.mask_head(self.mask_roi_pool(levels, boxes)))
        return logits[torch.arange(len(labels), device=labels.device), labels]

    def _found(
        self, levels: list[Tensor], proposals: list[Tensor], image_sizes: list[tuple[int, int]]
    ) -> list[Found]:
        pooled = self.box_roi_pool(levels, proposals)
        logits, regression = self.box_predictor(self.box_head(pooled))
        boxes, scores, labels = self.postprocess_detections(
            logits, regression, proposals, image_sizes
        )
        masks = self._mask_logits(levels, boxes, torch.cat(labels)).sigmoid()
        counts = [len(label) for label in labels]
        return [
            Found(*parts) for parts in zip(boxes, scores, labels, masks.split(counts), strict=True)
        ]


class _DetailedPool(nn.Module):
    """Features of boxes: the pyramid's, to which the stem's add detail.

    A person of 12 pixels is three features wide at stride 4; its outline is not to be found there.
    The stem's features (stride 2) are at hand, and only what lies in boxes is projected.
    """

    def __init__(self, cells: int, detail_channels: int, channels: int) -> None:
        super().__init__()
        self.pyramid = _PyramidPool(cells, _STRIDES)
        self.stem = _PyramidPool(cells, (2,))
        self.project = nn.Conv2d(detail_channels, channels, 1, bias=False)

    def forward(self, levels: list[Tensor], boxes: list[Tensor]) -> Tensor:
        """N x C x cells x cells for N boxes, from the stem's features and the pyramid's."""
        detail = self.project(self.stem(levels[:1], boxes))
        pooled: Tensor = self.pyramid(levels[1:], boxes) + detail
        return pooled


class _PyramidPool(nn.Module):
    """ROIAlign from the pyramid's level that suits each box's size.

    A box of less than 40 pixels (root of its area) is taken from stride 4, of less than 80 from
    stride 8, and so on. So the cells of a 7 x 7 grid are about a feature apart, and one bilinear
    sample in the middle of each suffices. The samples of all levels are one weighted gathering of
    rows, which on a CPU is several times faster than torchvision's ``roi_align``, backwards above
    all.
    """

    _SIZE_OF_STRIDE_8 = 40

    def __init__(self, cells: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.cells = cells
        self.strides = strides

    def forward(self, levels: list[Tensor], boxes: list[Tensor]) -> Tensor:
        """N x C x cells x cells for N boxes in all images, from levels of N x C x H x W."""
        channels = levels[0].shape[1]
        rows = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in levels])
        joined = torch.cat(boxes)
        counts = torch.tensor([len(box) for box in boxes], device=joined.device)
        images = torch.arange(len(boxes), device=joined.device).repeat_interleave(counts)
        indices, weights = self._samples([level.shape for level in levels], joined, images)
        pooled = functional.embedding_bag(
            indices, rows.float(), mode="sum", per_sample_weights=weights
        )
        grid = pooled.reshape(len(joined), self.cells, self.cells, channels)
        return grid.permute(0, 3, 1, 2)

    @torch.no_grad()
    def _samples(
        self, shapes: list[torch.Size], boxes: Tensor, images: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The four rows, and their weights, of each cell: both (N cells cells) x 4."""
        sides = boxes[:, 2:] - boxes[:, :2]
        suits = torch.log2(sides.prod(dim=1).sqrt() / self._SIZE_OF_STRIDE_8 + 1e-8).floor() + 1
        level = suits.clamp(0, len(shapes) - 1).long()
        strides, heights, widths, starts = self._tables(shapes, boxes.device)[:, level]
        middles = (torch.arange(self.cells, device=boxes.device) + 0.5) / self.cells
        x, right = _neighbours(boxes[:, 0], sides[:, 0], middles, strides, widths)
        y, below = _neighbours(boxes[:, 1], sides[:, 1], middles, strides, heights)
        first = (starts + images * heights * widths)[:, None, None, None, None]
        indices = first + y[:, :, None, :, None] * widths[:, None, None, None, None]
        indices = indices + x[:, None, :, None, :]
        weights = below[:, :, None, :, None] * right[:, None, :, None, :]
        return indices.reshape(-1, 4), weights.reshape(-1, 4)

    def _tables(self, shapes: list[torch.Size], device: torch.device) -> Tensor:
        """4 x levels: stride, height, width and first row of each."""
        table, start = [], 0
        for stride, (images, _, height, width) in zip(self.strides, shapes, strict=True):
            table.append((stride, height, width, start))
            start += images * height * width
        return torch.tensor(table, device=device).T


def _neighbours(
    low: Tensor, side: Tensor, middles: Tensor, strides: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """The two features beside each sample along one axis, and their weights: N x cells x 2."""
    # the middle of feature 0 lies half a stride from the edge
    position = (low[:, None] + side[:, None] * middles) / strides[:, None] - 0.5
    last = (lengths - 1)[:, None]
    position = torch.minimum(position.clamp(min=0), last)
    before = torch.minimum(position.floor().long(), (last - 1).clamp(min=0))
    share = position - before
    after = torch.minimum(before + 1, last)
    return torch.stack([before, after], dim=2), torch.stack([1 - share, share], dim=2)


def _is_object(boxes: Tensor, objects: Tensor) -> Tensor:
    """bool, N: whether a box is taken for one of the annotated objects."""
    return (box_iou(boxes, objects) >= _OBJECT_IOU).any(dim=1)


def _covered(boxes: Tensor, ignored: Tensor) -> Tensor:
    """bool, N: whether ignored pixels (H x W) cover more than half of a box."""
    if not ignored.any():
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    height, width = ignored.shape
    # pixels above and to the left of each corner of the pixel grid
    counts = functional.pad(ignored.int(), (1, 0, 1, 0)).cumsum(0).cumsum(1)
    x0, y0, x1, y1 = boxes.round().long().unbind(1)
    (x0, x1), (y0, y1) = (
        (low.clamp(0, last), high.clamp(0, last))
        for low, high, last in ((x0, x1, width), (y0, y1, height))
    )
    inside = counts[y1, x1] - counts[y0, x1] - counts[y1, x0] + counts[y0, x0]
    return inside > _COVERED * (x1 - x0) * (y1 - y0)


@contextmanager
def _sampling(*parts: nn.Module) -> Iterator[None]:
    """Lets proposal network and heads compute losses, whatever the mode of their layers.

    Only the parts' own flag is set: their batch norms, being children, keep theirs.
    """
    before = [part.training for part in parts]
    for part in parts:
        part.training = True
    try:
        yield
    finally:
        for part, training in zip(parts, before, strict=True):
            part.training = training


def image_tensor(image: Image, device: torch.device | str = "cpu") -> Tensor:
    """1 x 3 x H x W, RGB in [0, 1]."""
    # a copy, because arrays from files may be read-only, which torch warns of
    pixels = torch.from_numpy(np.array(image)).to(device)
    return pixels.permute(2, 0, 1)[None].to(torch.float32) / 255


@dataclass(frozen=True)
class Description:
    """What a weights file says of itself.

    Attributes:
        width: that of `MaskRcnn`.
        categories: what the labels 1, 2, ... mean.
        training: how it was trained, for the reader.
    """

    width: int
    categories: tuple[Category, ...]
    training: Mapping[str, Any]


def save_weights(path: Path, network: MaskRcnn, description: Description) -> None:
    """Writes a network, its matrices and kernels in half precision, complete or not at all."""
    tensors = {
        name: (value.half() if value.ndim > 1 else value).contiguous().cpu()
        for name, value in network.state_dict().items()
    }
    # one entry only: safetensors writes several in any order, and the file's hash is the identity
    metadata = {_KIND: json.dumps(asdict(description))}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(save(tensors, metadata))
    part.replace(path)


def load_weights(path: Path) -> tuple[MaskRcnn, Description]:
    """A network that `save_weights` wrote, ready to detect, and its description.

    Raises:
        UsageError: if the file is missing or is no such network.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: it should hold a trained analysis network")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if _KIND not in metadata:
            raise UsageError(f"{path} holds other weights than those of `train analysis`")
        description = _description(json.loads(metadata[_KIND]))
        network = MaskRcnn(len(description.categories), description.width)
        network.load_state_dict(tensors)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise UsageError(f"{path} is not a trained analysis network: {error}") from error
    network.eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last), description


def _description(stored: Mapping[str, Any]) -> Description:
    categories = tuple(Category(**category) for category in stored["categories"])
    return Description(int(stored["width"]), categories, dict(stored["training"]))


class MaskRcnnAnalysis(AnalysisNetwork):
    """The analysis network on a `MaskRcnn`.

    Images are judged one at a time at their own size. On the CPU with one thread
    (``torch.set_num_threads(1)``) the detections are the same at every run.
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
        return [self._detect(image) for image in images]

    def identity(self) -> dict[str, str]:
        return {
            "name": self.name,
            "weights": self._weights_hash,
            "score_threshold": str(SCORE_THRESHOLD),
            "nms_threshold": str(NMS_THRESHOLD),
            "detections": str(DETECTIONS),
        }

    @torch.inference_mode()
    def _detect(self, image: Image) -> list[Detection]:
        found = self.network(image_tensor(image, self._device))[0]
        boxes, scores, labels, masks = (
            values.cpu().numpy()
            for values in (found.boxes, found.scores, found.labels, found.masks)
        )
        size = (image.shape[0], image.shape[1])
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
