"""A small Mask R-CNN: residual network, feature pyramid, box and mask heads.

It follows He et al., "Mask R-CNN" (ICCV 2017), on torchvision's parts, with three changes for
images of 512 x 256 whose objects are often no larger than 20 pixels: anchors from 10 pixels on,
features and mask targets sampled at pixel centres (torchvision's are half a pixel off), and
batch norm throughout, so that it can be trained from nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList
from torchvision.models.resnet import BasicBlock
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from benchmark.analysis.mask_rcnn.heads import Found, heads, proposal_network
from benchmark.analysis.targets import Objects

WIDTH = 32
"""Channels of the first stage; a ResNet-18 has 64."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Per channel (RGB, of values in [0, 1]): the network sees (image - MEAN) / STD."""

_DIVISOR = 32


@dataclass(frozen=True)
class Features:
    """All that the heads see of N images.

    Attributes:
        images: normalised and padded to multiples of 32, with their sizes before.
        detail: the stem's features, N x width x H/2 x W/2.
        pyramid: the feature pyramid's levels by name, N x 2 width each; strides 4 to 64.
    """

    images: ImageList
    detail: Tensor
    pyramid: OrderedDict[str, Tensor]

    @property
    def levels(self) -> list[Tensor]:
        """The stem's features and the pyramid's of strides 4 to 32.

        The pyramid's last level is left out: it repeats every other element of the one before.
        """
        return [self.detail, *list(self.pyramid.values())[:-1]]


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
        self.rpn = proposal_network(2 * width)
        self.heads = heads(width, classes)
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

    def features(self, images: Tensor) -> Features:
        """Compute all that the heads see of images (N x 3 x H x W, RGB in [0, 1])."""
        height, width = images.shape[-2:]
        right, below = -width % _DIVISOR, -height % _DIVISOR
        padded = functional.pad(self._normalised(images), (0, right, 0, below))
        padded = padded.contiguous(memory_format=torch.channels_last)
        detail, *stages = self.body(padded)
        pyramid = self.pyramid(OrderedDict((str(n), stage) for n, stage in enumerate(stages)))
        return Features(ImageList(padded, [(height, width)] * len(images)), detail, pyramid)

    def losses(self, features: Features, targets: Sequence[Objects]) -> dict[str, Tensor]:
        """Compute the training losses, differentiable with respect to the features' images.

        Batch norm stays in the mode in which the network is: call ``eval()`` (and
        ``requires_grad_(False)``) first where the weights are fixed, as they are when a codec is
        trained for the task; ``train()`` where the network itself is trained. Which anchors and
        proposals are compared is drawn from torch's global random numbers.

        Args:
            features: those of N images.
            targets: the objects of each image.

        Returns:
            Five scalars: objectness, proposal, class, box and mask loss. Their sum is trained.
        """
        marked = [vars(target) for target in targets]
        with _sampling(self.rpn, self.heads):
            proposals, rpn_losses = self.rpn(features.images, features.pyramid, marked)
            _, losses = self.heads(
                [features.detail, *features.pyramid.values()],
                proposals,
                features.images.image_sizes,
                marked,
            )
        return {
            "objectness": rpn_losses["loss_objectness"],
            "proposal": rpn_losses["loss_rpn_box_reg"],
            **losses,
        }

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width at which an image is judged: those that it has."""
        return size

    def forward(self, images: Tensor) -> list[Found]:
        """The objects in images (N x 3 x H x W, RGB in [0, 1]), by falling score."""
        features = self.features(images)
        proposals, _ = self.rpn(features.images, features.pyramid)
        found, _ = self.heads(
            [features.detail, *features.pyramid.values()], proposals, features.images.image_sizes
        )
        return found

    def _normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


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
