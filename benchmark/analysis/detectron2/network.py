"""Mask R-CNN with a ResNet-50 and a feature pyramid, as Detectron2 computes it.

Modules are named so that the names in Detectron2's checkpoints fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import FrozenBatchNorm2d

from benchmark.analysis.detectron2.heads import DETECTIONS, SCORE_THRESHOLD, Heads
from benchmark.analysis.detectron2.losses import proposal_losses, region_losses
from benchmark.analysis.detectron2.proposals import CHANNELS, ProposalGenerator, convolution
from benchmark.analysis.detectron2.sampling import sample_anchors, sample_regions
from benchmark.analysis.mask_rcnn.heads import Found
from benchmark.analysis.targets import Objects

_COARSEST_STRIDE = 32

SHORT_SIDE = 1024
LONG_SIDE = 2048
"""Detectron2's settings for Cityscapes: to these, images are resized before they are judged."""


@dataclass(frozen=True)
class Features:
    """All that the heads see of N images.

    Attributes:
        levels: the feature pyramid's, N x 256 x H/s x W/s of the strides s = 4, 8, 16, 32, 64.
        size: height and width of the images without their padding.
    """

    levels: Sequence[Tensor]
    size: tuple[int, int]


class Detectron2MaskRcnn(nn.Module):
    """Finds and segments the objects of images, and can train codecs with its losses.

    Attributes:
        pixel_mean: 3 x 1 x 1, blue, green, red; taken off the image.
        pixel_std: 3 x 1 x 1; what the image is then divided by.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    stride16_channels = 1024

    def __init__(
        self,
        classes: int,
        score_threshold: float = SCORE_THRESHOLD,
        detections: int = DETECTIONS,
    ) -> None:
        """Untrained; the arguments are those of `Heads`."""
        super().__init__()
        mean = torch.tensor([103.53, 116.28, 123.675]).reshape(3, 1, 1)
        self.register_buffer("pixel_mean", mean, persistent=False)
        self.register_buffer("pixel_std", torch.ones(3, 1, 1), persistent=False)
        self.backbone = _FeaturePyramid()
        self.proposal_generator = ProposalGenerator()
        self.roi_heads = Heads(classes, score_threshold, detections)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.pixel_mean.device

    def forward(self, images: Tensor) -> list[Found]:
        """What is in each of the images.

        Args:
            images: N x 3 x H x W, blue, green, red, values 0 to 255, on `device`.
        """
        features = self._features(images)
        return [
            self._found([level[number : number + 1] for level in features.levels], features.size)
            for number in range(len(images))
        ]

    def features(self, images: Tensor) -> Features:
        """Compute all that the heads see of images (N x 3 x H x W, RGB in [0, 1])."""
        return self._features(images.flip(1) * 255)

    def stride16_features(self, images: Tensor) -> Tensor:
        """Return res4, N x 1024 x H/16 x W/16 (rounded up), of images as for `features`."""
        res4: Tensor = self.backbone.bottom_up.to_res4(self._normalized(images.flip(1) * 255))[-1]
        return res4

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the shape that Detectron2 gives an image (``ResizeShortestEdge``)."""
        height, width = size
        scale = SHORT_SIDE / min(height, width)
        # Detectron2's rounding: the short side exactly, then both shrunk again if need be
        sides = [SHORT_SIDE, width * scale] if height < width else [height * scale, SHORT_SIDE]
        if max(sides) > LONG_SIDE:
            sides = [side * (LONG_SIDE / max(sides)) for side in sides]
        return int(sides[0] + 0.5), int(sides[1] + 0.5)

    def losses(self, features: Features, targets: Sequence[Objects]) -> dict[str, Tensor]:
        """Compute the training losses, differentiable with respect to the features' images.

        They are those of Detectron2's settings for Mask R-CNN R50-FPN (`losses` says how), of 256
        anchors and 512 regions per image, drawn from torch's global random numbers in Detectron2's
        order.

        Args:
            features: those of N images.
            targets: the objects of each image; from their ignored regions is learned as from any
                other background, because Detectron2 leaves groups out of its annotations.

        Returns:
            Five scalars: objectness, proposal, class, box and mask loss.
        """
        predicted = self.proposal_generator.predict(features.levels)
        anchors = self.proposal_generator.anchors(predicted)
        with torch.no_grad():
            chosen = [sample_anchors(anchors, its.boxes) for its in targets]
            proposals = self.proposal_generator.training_proposals(predicted, features.size)
            regions = [
                sample_regions(boxes, its, self.roi_heads.classes)
                for boxes, its in zip(proposals, targets, strict=True)
            ]
        return {
            **proposal_losses(predicted, anchors, chosen),
            **region_losses(self.roi_heads, features.levels[:-1], regions, targets),
        }

    def _features(self, images: Tensor) -> Features:
        """The features of images N x 3 x H x W, blue, green, red, values 0 to 255."""
        height, width = images.shape[2:]
        padded = functional.pad(
            self._normalized(images), (0, -width % _COARSEST_STRIDE, 0, -height % _COARSEST_STRIDE)
        )
        # contiguous as in Detectron2: another rounding if not
        return Features(self.backbone(padded.contiguous()), (height, width))

    def _normalized(self, images: Tensor) -> Tensor:
        return (images - self.pixel_mean) / self.pixel_std

    def _found(self, levels: Sequence[Tensor], size: tuple[int, int]) -> Found:
        """What is in one image of this size, by its features 1 x 256 x H/s x W/s."""
        proposals = self.proposal_generator(levels, size)
        found: Found = self.roi_heads(levels[:-1], proposals, size)
        return found


class _FeaturePyramid(nn.Module):
    """The ResNet's features of strides 4 to 32, each joined with the coarser ones."""

    def __init__(self) -> None:
        super().__init__()
        self.bottom_up = _ResNet()
        self.fpn_lateral2 = nn.Conv2d(256, CHANNELS, 1)
        self.fpn_lateral3 = nn.Conv2d(512, CHANNELS, 1)
        self.fpn_lateral4 = nn.Conv2d(1024, CHANNELS, 1)
        self.fpn_lateral5 = nn.Conv2d(2048, CHANNELS, 1)
        self.fpn_output2 = convolution()
        self.fpn_output3 = convolution()
        self.fpn_output4 = convolution()
        self.fpn_output5 = convolution()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features N x 256 x H/s x W/s of the strides s = 4, 8, 16, 32, 64."""
        res2, res3, res4, res5 = self.bottom_up(images)
        joined5 = self.fpn_lateral5(res5)
        joined4 = self.fpn_lateral4(res4) + _doubled(joined5)
        joined3 = self.fpn_lateral3(res3) + _doubled(joined4)
        joined2 = self.fpn_lateral2(res2) + _doubled(joined3)
        level5 = self.fpn_output5(joined5)
        return [
            self.fpn_output2(joined2),
            self.fpn_output3(joined3),
            self.fpn_output4(joined4),
            level5,
            functional.max_pool2d(level5, 1, 2),
        ]


class _ResNet(nn.Module):
    """ResNet-50 with a stage's stride in its first 1x1 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.res2 = residual_stage(64, 256, 3, 1)
        self.res3 = residual_stage(256, 512, 4, 2)
        self.res4 = residual_stage(512, 1024, 6, 2)
        self.res5 = residual_stage(1024, 2048, 3, 2)

    def to_res4(self, images: Tensor) -> list[Tensor]:
        stages = [self.res2(self.stem(images))]
        stages.append(self.res3(stages[-1]))
        stages.append(self.res4(stages[-1]))
        return stages

    def forward(self, images: Tensor) -> list[Tensor]:
        stages = self.to_res4(images)
        return [*stages, self.res5(stages[-1])]


class Stem(nn.Module):
    """The ResNet's beginning: images N x 3 x H x W to features N x 64 x H/4 x W/4."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _NormedConvolution(3, 64, 7, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        return functional.max_pool2d(self.conv1(images).relu_(), 3, 2, padding=1)


class _Bottleneck(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        narrow = channels // 4
        self.shortcut = (
            _NormedConvolution(channels_in, channels, 1, stride)
            if channels_in != channels
            else nn.Identity()
        )
        self.conv1 = _NormedConvolution(channels_in, narrow, 1, stride)
        self.conv2 = _NormedConvolution(narrow, narrow, 3)
        self.conv3 = _NormedConvolution(narrow, channels, 1)

    def forward(self, input: Tensor) -> Tensor:
        hidden = self.conv3(self.conv2(self.conv1(input).relu_()).relu_())
        hidden += self.shortcut(input)
        return functional.relu_(hidden)


def residual_stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    """A stage of the ResNet; the stride is that of its first 1x1 convolution."""
    first = _Bottleneck(channels_in, channels, stride)
    return nn.Sequential(first, *(_Bottleneck(channels, channels, 1) for _ in range(blocks - 1)))


class _NormedConvolution(nn.Conv2d):
    """A convolution without bias, then frozen batch norm."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels_in, channels, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = _FrozenNorm(channels)

    def forward(self, input: Tensor) -> Tensor:
        if self.kernel_size == (1, 1) and self.stride != (1, 1):
            # the 1x1 convolution of stride 2 of torch 2.14 can write past its memory on a CPU
            rows, columns = self.stride
            convolved = functional.conv2d(input[..., ::rows, ::columns], self.weight)
        else:
            convolved = super().forward(input)
        normed: Tensor = self.norm(convolved)
        return normed


class _FrozenNorm(FrozenBatchNorm2d):
    """torchvision's, but rounded as Detectron2's, and with less memory."""

    def forward(self, x: Tensor) -> Tensor:
        if not x.requires_grad:
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        # so that nothing has to be kept for the gradient
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        scale, shift = (values.reshape(1, -1, 1, 1).to(x.dtype) for values in (scale, shift))
        return (x * scale).add_(shift)


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")
