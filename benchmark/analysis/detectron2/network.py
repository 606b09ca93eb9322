"""Mask R-CNN with a ResNet-50 and a feature pyramid, as Detectron2 computes it at test time.

Modules are named so that the names in Detectron2's checkpoints fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import FrozenBatchNorm2d

from benchmark.analysis.detectron2.heads import CHANNELS, Heads, ProposalGenerator, convolution
from benchmark.analysis.mask_rcnn.heads import Found

_COARSEST_STRIDE = 32


class Detectron2MaskRcnn(nn.Module):
    """Finds and segments the objects of images.

    Attributes:
        pixel_mean: 3 x 1 x 1, blue, green, red; taken off the image.
        pixel_std: 3 x 1 x 1; what the image is then divided by.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, classes: int) -> None:
        """Untrained, for a number of classes without the background."""
        super().__init__()
        mean = torch.tensor([103.53, 116.28, 123.675]).reshape(3, 1, 1)
        self.register_buffer("pixel_mean", mean, persistent=False)
        self.register_buffer("pixel_std", torch.ones(3, 1, 1), persistent=False)
        self.backbone = _FeaturePyramid()
        self.proposal_generator = ProposalGenerator()
        self.roi_heads = Heads(classes)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.pixel_mean.device

    def forward(self, images: Tensor) -> list[Found]:
        """What is in each of the images.

        Args:
            images: N x 3 x H x W, blue, green, red, values 0 to 255, on `device`.
        """
        height, width = images.shape[2:]
        normalized = (images - self.pixel_mean) / self.pixel_std
        padded = functional.pad(
            normalized, (0, -width % _COARSEST_STRIDE, 0, -height % _COARSEST_STRIDE)
        )
        levels = self.backbone(padded.contiguous())  # as in Detectron2: another rounding if not
        return [
            self._found([level[number : number + 1] for level in levels], (height, width))
            for number in range(len(images))
        ]

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

    def forward(self, images: Tensor) -> list[Tensor]:
        features = self.stem(images)
        levels = []
        for stage in (self.res2, self.res3, self.res4, self.res5):
            features = stage(features)
            levels.append(features)
        return levels


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
    """torchvision's, but rounded as Detectron2's, and with half of the memory."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")
