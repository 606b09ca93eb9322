"""What a training of codecs starts from: the recipe, and the model that is built from files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.analysis.training_batches import Augmentation, Batches
from benchmark.datasets.dataset import Dataset
from benchmark.errors import Problems, UsageError
from benchmark.image import Image
from benchmark.training.loop import Schedule

from .backbones import open_backbone
from .distortion import loss_weights
from .initialization import initialize, scale_latent
from .layers import pad
from .lsmnet import Backbone, LSMnet
from .network import NCN, Coded
from .weights_file import IDENTITY, Weights, load_weights

_FIRST_IMAGES = 64
"""That an untrained network is initialized on."""


@dataclass(frozen=True, kw_only=True)
class CodecRecipe(Schedule):
    """All that decides the trained weights, beside the data set and the starting weights.

    Attributes:
        trained: ``ncn``, the NCN alone; ``ncn-lsm``, LSMnet's 1x1 convolution alone;
            ``ncn-lsm-ft``, both together.
        loss: what is weighed against the rate: a loss, or a sum of losses (`loss_weights`).
        rate_weight: lambda; trained is loss + lambda * R, with R in bits per pixel.
        channels: those of the latent.
        hidden_channels: those of the transforms inside; 0: as many as the latent has.
        backbone: of LSMnet (`open_backbone`); empty for the NCN alone.
        crop: height and width of the parts of images that are trained on; None takes them whole.
        optimizer: ``adam``, or ``centered-adam``: `CenteredAdam` for the kernels behind a ReLU, and
            a gain of its own for each channel of y, which is learned faster than all else.
        latent_gain: the latent of the network that is started from is multiplied by it
            (`scale_latent`).
    """

    trained: str
    loss: str
    rate_weight: float
    channels: int
    hidden_channels: int = 0
    backbone: str = ""
    batch: int = 2
    crop: tuple[int, int] | None = None
    learning_rate: float = 5e-4
    optimizer: str = "centered-adam"
    latent_gain: float = 1.0


class Model(nn.Module):
    """The trained codec as one module: an NCN and, perhaps, an LSMnet."""

    def __init__(self, network: NCN, lsmnet: LSMnet | None) -> None:
        super().__init__()
        self.network = network
        self.lsmnet = lsmnet
        self.log_gain = nn.Parameter(torch.zeros(network.channels))

    def coded(self, images: Tensor) -> Coded:
        """Code images as `NCN.forward`, masked where there is an LSMnet."""
        return self.network(images, self.lsmnet(images) if self.lsmnet else None, self.log_gain)

    @torch.inference_mode()
    def code(self, image: Image) -> tuple[Image, float]:
        """Return the decoded image and the estimated bits, in evaluation mode."""
        device = next(self.parameters()).device
        pixels = torch.from_numpy(image.copy()).to(device).permute(2, 0, 1)[None].float() / 255
        coded = self.eval().coded(pixels)
        decoded = (coded.images[0] * 255).round().clamp(0, 255).byte().permute(1, 2, 0)
        return decoded.cpu().numpy(), float(coded.bits)


def build(dataset: Dataset, recipe: CodecRecipe, start: Path | None, mask: Path | None) -> Model:
    """Build the model that a training starts from; refuse what does not go together.

    Raises:
        UsageError: with all that does not, a line each, and what to do.
    """
    problems = Problems()
    with problems.noted():
        check_dataset(dataset, recipe)
    with problems.noted():
        parts = open_parts(recipe, start, mask)
    problems.refuse()
    torch.manual_seed(recipe.seed)
    network = parts.network or NCN(recipe.channels, recipe.hidden_channels)
    lsmnet = LSMnet(parts.backbone, recipe.channels) if parts.backbone else None
    if lsmnet and parts.to_alpha:
        lsmnet.to_alpha = parts.to_alpha
    model = Model(network, lsmnet)
    if recipe.latent_gain != 1:
        scale_latent(network, torch.full((recipe.channels,), math.log(recipe.latent_gain)))
    if parts.network is None:
        initialize(network, pad(batches(dataset, recipe, _FIRST_IMAGES)[0][0]))
    if recipe.trained == "ncn-lsm":
        network.requires_grad_(False)
    learns_gain = recipe.trained != "ncn-lsm" and recipe.optimizer == "centered-adam"
    model.log_gain.requires_grad_(learns_gain)
    return model


def check_dataset(dataset: Dataset, recipe: CodecRecipe) -> None:
    """Refuse images that cannot be trained on.

    Raises:
        UsageError: with all that is missing, a line each, and what to do.
    """
    problems = Problems()
    if not dataset.pictures:
        problems.add(f"{dataset.name} has no images to train on")
    with problems.noted():
        if "task" in loss_weights(recipe.loss) and not dataset.categories:
            problems.add(
                f"{dataset.name} has no annotations, which the loss 'task' needs: use 'feature' or "
                "'hvs', or another data set"
            )
    problems.refuse()


@dataclass(frozen=True)
class Parts:
    """What a training starts from, where files hold it.

    Attributes:
        network: the NCN; None to start from nothing.
        backbone: LSMnet's; None without an LSMnet.
        to_alpha: LSMnet's 1x1 convolution; None to start from nothing.
    """

    network: NCN | None
    backbone: Backbone | None
    to_alpha: nn.Conv2d | None


def open_parts(recipe: CodecRecipe, start: Path | None, mask: Path | None) -> Parts:
    """Open what a training starts from; refuse what does not go together.

    Raises:
        UsageError: with all that does not, a line each, and what to do.
    """
    masked = recipe.trained != "ncn"
    problems = Problems()
    if masked and start is None:
        problems.add(f"{recipe.trained} needs a trained NCN to start from: give --start")
    if masked != bool(recipe.backbone):
        what = "needs" if masked else "has no LSMnet and takes no"
        problems.add(f"{recipe.trained} {what} --backbone")
    if recipe.latent_gain != 1 and (start is None or recipe.trained == "ncn-lsm"):
        problems.add("--latent-gain changes the NCN of --start: it is for ncn and ncn-lsm-ft")
    if mask is not None and not masked:
        problems.add("ncn has no LSMnet and takes no --mask")
    network = backbone = stored = None
    with problems.noted():
        network = None if start is None else _network(start, recipe)
    with problems.noted():
        backbone = open_backbone(recipe.backbone) if masked and recipe.backbone else None
    with problems.noted():
        stored = load_weights(mask) if masked and mask is not None else None
    if mask is not None and stored is not None:
        for problem in _unfit(mask, stored, recipe, backbone):
            problems.add(problem)
    problems.refuse()
    return Parts(network, backbone, stored.to_alpha if stored else None)


def _network(path: Path, recipe: CodecRecipe) -> NCN:
    network = load_weights(path).network
    if network is None:
        raise UsageError(f"{path} holds no NCN: give the weights of an ncn as --start")
    if network.channels != recipe.channels:
        raise UsageError(
            f"{path} has {network.channels} channels and not {recipe.channels}: change --channels"
        )
    hidden = recipe.hidden_channels or recipe.channels
    if network.hidden_channels != hidden:
        raise UsageError(
            f"{path} has {network.hidden_channels} hidden channels and not {hidden}: change "
            "--hidden-channels"
        )
    return network


def _unfit(
    path: Path, stored: Weights, recipe: CodecRecipe, backbone: Backbone | None
) -> Iterator[str]:
    """Why a convolution cannot be trained further, if it cannot."""
    if stored.to_alpha is None:
        yield f"{path} holds no LSMnet: give the weights of an ncn-lsm as --mask"
        return
    if stored.to_alpha.out_channels != recipe.channels:
        yield f"{path} does not fit {recipe.channels} channels: change --channels"
    if backbone is None:
        return
    trained_on = stored.description.training.get(IDENTITY)
    name = stored.description.backbone
    if stored.backbone is not None:
        trained_on, name = stored.backbone.identity, "its own ResNet-50 (red first)"
    # files of before the identity was noted have the name alone
    if backbone.identity != trained_on if trained_on else name != recipe.backbone:
        yield (
            f"{path} was trained on the backbone {name} and not on {recipe.backbone}: change "
            "--backbone"
        )


def batches(dataset: Dataset, recipe: CodecRecipe, batch: int) -> Batches:
    """Return the training images in batches, cropped as the recipe says."""
    return Batches(dataset, batch, recipe.seed, Augmentation(crop=recipe.crop))
