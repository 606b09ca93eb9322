"""LSMnet: tells which latents do not matter to the analysis network, from its own features."""

from __future__ import annotations

import hashlib
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from benchmark.analysis.detectron2.network import Stem, residual_stage

from .layers import pad

_FIRST_LOGIT = -3.0
"""Of alpha, everywhere: an untrained mask keeps 95 % of each latent.

From a random convolution alpha is about a half, and 150 steps mostly undo that. Measured on the
NCN of lambda 1 with the loss task:4 (first 20 images of Miniscapes val, estimated rates; without a
mask 0.431 bits per pixel, wAP 50.6 %, gap 0.168): 0.384, 49.3 % and 0.218 from there (learning rate
0.003), 0.419, 50.8 % and 0.173 from here (0.01).
"""


class Backbone(Protocol):
    """A fixed network whose features tell what is salient. An ``nn.Module`` too.

    Attributes:
        channels: those of its features.
        identity: tells its weights from others.
    """

    channels: int

    @property
    def identity(self) -> str: ...

    def __call__(self, images: Tensor) -> Tensor:
        """Features of stride 16, N x channels x H/16 x W/16.

        Args:
            images: N x 3 x H x W, RGB in [0, 1]; H and W multiples of 64.
        """
        ...


class LSMnet(nn.Module):
    """A fixed backbone, a 1x1 convolution, and a sigmoid.

    Only the convolution is trained. The decoder knows nothing of all this.
    """

    def __init__(self, backbone: Backbone, channels: int) -> None:
        """A mask that hardly masks yet, on a trained backbone that stays fixed from now on.

        Args:
            backbone: gives the features; it must be an ``nn.Module``.
            channels: those of the latent.
        """
        super().__init__()
        assert isinstance(backbone, nn.Module)
        self.channels = channels
        self.backbone: nn.Module = backbone.requires_grad_(False).eval()
        self.to_alpha = nn.Conv2d(backbone.channels, channels, 1)
        nn.init.zeros_(self.to_alpha.weight)
        self.to_alpha.bias = nn.Parameter(torch.full((channels,), _FIRST_LOGIT))

    def train(self, mode: bool = True) -> Self:
        """As usual, but the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """How far each latent may be drawn to its mean.

        Args:
            images: N x 3 x H x W, RGB in [0, 1].

        Returns:
            alpha, N x channels x H'/16 x W'/16 in [0, 1], where H' and W' are H and W rounded up
            to multiples of 64.
        """
        with torch.no_grad():
            features = self.backbone(pad(images))
        return torch.sigmoid(self.to_alpha(features))


class Detectron2ResNet50(nn.Module):
    """Detectron2's ResNet-50 up to res4, as it lies in the published LSMnet checkpoints.

    It differs from torchvision's in where a stage's stride is: in the first 1x1 convolution.
    Its parts are named so that Detectron2's parameter names fit (``conv1.norm.weight``).

    The published LSMnet was trained with red first, although this ResNet was trained with blue
    first; so red comes first here too, unless asked for otherwise.
    """

    channels = 1024
    mean: Tensor

    def __init__(self, *, blue_first: bool = False) -> None:
        """Untrained.

        Args:
            blue_first: whether the stem sees blue, green, red, as Detectron2 trained it.
        """
        super().__init__()
        self.blue_first = blue_first
        self.stages = nn.Sequential(
            Stem(),
            residual_stage(64, 256, 3, 1),
            residual_stage(256, 512, 4, 2),
            residual_stage(512, 1024, 6, 2),
        )
        # red, green, blue
        mean = torch.tensor([123.675, 116.28, 103.53]).reshape(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)

    @property
    def identity(self) -> str:
        """Colour order and SHA-256 of the weights."""
        digest = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.cpu().numpy().tobytes())
        return f"{'BGR' if self.blue_first else 'RGB'} {digest.hexdigest()}"

    def forward(self, images: Tensor) -> Tensor:
        """Features of res4, N x 1024 x H/16 x W/16, of images N x 3 x H x W, RGB in [0, 1]."""
        pixels = images * 255 - self.mean
        return self.stages(pixels.flip(1) if self.blue_first else pixels)
