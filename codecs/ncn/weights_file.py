"""The codecs' weights as files: an NCN, an LSMnet's 1x1 convolution, or both; own or published."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from benchmark.errors import UsageError
from benchmark.system.tensors import load_description, load_tensors, save_tensors

from .backbones import open_backbone
from .lsmnet import Backbone, Detectron2ResNet50, LSMnet
from .network import NCN
from .published import load_published

_KIND = "benchmark NCN"
_NETWORK, _MASK = "network.", "mask."
IDENTITY = "backbone's identity"
"""Where a description of training says which weights its backbone had."""


@dataclass(frozen=True)
class Description:
    """What a weights file says of itself.

    Attributes:
        channels: those of the latent y.
        rate_weight: lambda of the training loss; it names the rate point.
        backbone: what LSMnet's convolution stands on (`open_backbone`); empty without one, and
            for a published LSMnet, whose file holds its backbone.
        training: how it was trained, for the reader; what JSON can hold.
        hidden_channels: those of the transforms inside; 0: as many as y has.
    """

    channels: int
    rate_weight: float
    backbone: str
    training: Mapping[str, Any]
    hidden_channels: int = 0


@dataclass(frozen=True)
class Weights:
    """What a weights file holds.

    Attributes:
        network: the NCN, in evaluation mode; None where only LSMnet was trained.
        to_alpha: LSMnet's 1x1 convolution; None without one.
        backbone: what the convolution stands on, where the file holds it.
    """

    network: NCN | None
    to_alpha: nn.Conv2d | None
    description: Description
    backbone: Detectron2ResNet50 | None = None


def save_weights(path: Path, weights: Weights) -> None:
    """Writes weights, kernels and matrices in half precision, complete or not at all."""
    tensors: dict[str, Tensor] = {}
    for prefix, part in ((_NETWORK, weights.network), (_MASK, weights.to_alpha)):
        if part is not None:
            tensors |= {prefix + name: value for name, value in part.state_dict().items()}
    save_tensors(path, _KIND, tensors, asdict(weights.description))


def is_published(path: Path) -> bool:
    """Return whether a file is named as the published checkpoints are, ``*.pth.tar``."""
    return path.name.endswith(".pth.tar")


def load_weights(path: Path) -> Weights:
    """What `save_weights` wrote, in float32, or what a published checkpoint holds.

    Raises:
        UsageError: if the file is missing or holds anything else.
    """
    if is_published(path):
        published, lsmnet = load_published(path)
        return Weights(
            published,
            lsmnet.to_alpha if lsmnet else None,
            Description(published.channels, math.nan, "", {}),
            lsmnet.backbone if lsmnet else None,  # type: ignore[arg-type]
        )
    if path.suffix != ".safetensors" and path.exists():
        raise UsageError(
            f"{path} is no weights file of an NCN: a training's end in .safetensors, published "
            "ones in .pth.tar"
        )
    tensors, stored = load_tensors(path, _KIND)
    parts = {
        prefix: {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        for prefix in (_NETWORK, _MASK)
    }
    description = _described(path, stored)
    try:
        network = to_alpha = None
        if parts[_NETWORK]:
            network = NCN(description.channels, description.hidden_channels)
            network.load_state_dict(parts[_NETWORK])
            network.eval()
        if parts[_MASK]:
            features = parts[_MASK]["weight"].shape[1]
            to_alpha = nn.Conv2d(features, description.channels, 1)
            to_alpha.load_state_dict(parts[_MASK])
    except (KeyError, ValueError, TypeError, RuntimeError, IndexError) as error:
        raise UsageError(f"{path} does not hold the weights of an NCN: {error}") from error
    return Weights(network, to_alpha, description)


def _described(path: Path, stored: Mapping[str, Any]) -> Description:
    try:
        return Description(
            int(stored["channels"]),
            float(stored["rate_weight"]),
            str(stored["backbone"]),
            dict(stored["training"]),
            int(stored.get("hidden_channels", 0)),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path} does not hold the weights of an NCN: {error}") from error


def architecture_of(path: Path) -> tuple[object, ...]:
    """What decides which operations the networks of a weights file carry out.

    Own files of equal channels and backbone are alike; each published one stands for itself.

    Raises:
        UsageError: as `load_weights`.
    """
    if is_published(path):
        return (path,)
    its = _described(path, load_description(path, _KIND))
    return its.channels, its.hidden_channels, its.backbone


def load_ncn(path: Path, decoder: Path) -> tuple[NCN, LSMnet | None]:
    """The network of the file ``decoder``, and the LSMnet of the file ``path`` if it holds one.

    Raises:
        UsageError: if one of the files is missing, or they do not belong together.
    """
    weights = load_weights(path)
    network = weights.network if decoder == path else load_weights(decoder).network
    if network is None:
        raise UsageError(f"{decoder} holds no NCN")
    if weights.to_alpha is None:
        return network, None
    if decoder != path and weights.description.training.get("start") != _hash(decoder):
        raise UsageError(f"{path} was trained on another NCN than {decoder}: train it again")
    lsmnet = LSMnet(weights.backbone or _backbone(path, weights), network.channels)
    if lsmnet.to_alpha.weight.shape != weights.to_alpha.weight.shape:
        raise UsageError(f"{path} does not fit {decoder} and its backbone")
    lsmnet.to_alpha = weights.to_alpha
    return network, lsmnet.eval()


def _backbone(path: Path, weights: Weights) -> Backbone:
    """The backbone that weights were trained on.

    Raises:
        UsageError: if it cannot be had, or has other weights now.
    """
    spec, trained_on = weights.description.backbone, weights.description.training.get(IDENTITY)
    backbone = open_backbone(spec)
    if trained_on not in (None, backbone.identity):
        raise UsageError(f"{path} was trained on another backbone than {spec} is now")
    return backbone


def backbones_of(paths: Iterable[Path]) -> dict[str, str]:
    """The backbones that weights files stand on, and what identifies their weights."""
    own = (path for path in paths if not is_published(path))
    specs = {_described(path, load_description(path, _KIND)).backbone for path in own} - {""}
    return {f"backbone {spec}": open_backbone(spec).identity for spec in sorted(specs)}


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
