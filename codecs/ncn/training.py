"""Train an NCN, an LSMnet on it, or both together, for people or for the analysis network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.analysis.targets import Objects
from benchmark.analysis.training_batches import Augmentation, Batches
from benchmark.datasets.dataset import Dataset
from benchmark.errors import Problems, UsageError
from benchmark.image import Image
from benchmark.training.loop import WEIGHTS, Schedule, Trained, open_fabric, train
from benchmark.training.plan import TrainingPlan, plan

from .backbones import open_backbone
from .distortion import Distortion, loss_weights, total
from .initialization import initialize
from .layers import pad
from .lsmnet import Backbone, LSMnet
from .muon import Muon
from .network import NCN, Coded
from .validation import Validate
from .weights_file import IDENTITY, Description, Weights, load_weights, save_weights

_LARGEST_GRADIENT = 1.0
_FIRST_IMAGES = 8
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
        backbone: of LSMnet (`open_backbone`); empty for the NCN alone.
        crop: height and width of the parts of images that are trained on; None takes them whole.
        kernel_rate: `Muon`'s learning rate, at its highest, for the kernels of transforms and
            hyperprior; at 0 Adam has them too.
    """

    trained: str
    loss: str
    rate_weight: float
    channels: int
    backbone: str = ""
    batch: int = 2
    crop: tuple[int, int] | None = None
    learning_rate: float = 5e-4
    kernel_rate: float = 0.0


class Model(nn.Module):
    """The trained codec as one module: an NCN and, perhaps, an LSMnet."""

    def __init__(self, network: NCN, lsmnet: LSMnet | None) -> None:
        super().__init__()
        self.network = network
        self.lsmnet = lsmnet

    def coded(self, images: Tensor) -> Coded:
        """Code images as `NCN.forward`, masked where there is an LSMnet."""
        return self.network(images, self.lsmnet(images) if self.lsmnet else None)

    @torch.inference_mode()
    def code(self, image: Image) -> tuple[Image, float]:
        """Return the decoded image and the estimated bits, in evaluation mode."""
        device = next(self.parameters()).device
        pixels = torch.from_numpy(image.copy()).to(device).permute(2, 0, 1)[None].float() / 255
        coded = self.eval().coded(pixels)
        decoded = (coded.images[0] * 255).round().clamp(0, 255).byte().permute(1, 2, 0)
        return decoded.cpu().numpy(), float(coded.bits)


class _Training(nn.Module):
    """A model and what is minimized: distortion + lambda R."""

    def __init__(self, model: Model, distortion: Distortion, recipe: CodecRecipe) -> None:
        super().__init__()
        self.model = model
        self._distortion = distortion
        self._weights = loss_weights(recipe.loss)
        self._rate_weight = recipe.rate_weight

    def forward(self, images: Tensor, objects: Sequence[Objects]) -> dict[str, Tensor]:
        coded = self.model.coded(images)
        terms = self._distortion(coded.images, images, objects)
        rate = coded.bits_per_pixel
        loss = total(terms, self._weights) + self._rate_weight * rate
        return {"loss": loss, **terms, "bpp": rate}


def train_codec(
    dataset: Dataset,
    out: Path,
    recipe: CodecRecipe,
    distortion: Callable[[torch.device], Distortion],
    *,
    start: Path | None = None,
    mask: Path | None = None,
    validate: Validate | None = None,
    validate_every: int = 0,
    device: str = "cpu",
    devices: int = 1,
) -> Path:
    """Train a codec and write its weights; go on where an earlier call was stopped.

    Args:
        dataset: the training images.
        out: a folder, made if missing; see `training.loop.train`.
        recipe: how to train.
        distortion: gives what is weighed against the rate, on a device.
        start: weights file of the NCN to start from; ``ncn`` may start from nothing.
        mask: weights file of the 1x1 convolution to start from; without it, from nothing.
        validate: judges the codec as it is; what it gives is logged.
        validate_every: steps from one validation to the next; 0: at the end only.
        device: ``cpu`` or ``cuda``. On the CPU torch's number of threads is the caller's choice.
        devices: how many of them; each takes a batch of its own.

    Returns:
        The path of the weights.

    Raises:
        UsageError: if recipe, data set, starting weights and what ``out`` holds do not go
            together.
        KeyboardInterrupt: after SIGINT or SIGTERM, the checkpoint being written.
    """
    model = build(dataset, recipe, start, mask)
    fabric = open_fabric(device, devices, recipe.bfloat16)
    origin = {"start": _hash(start), "mask": _hash(mask)}

    def measure(average: nn.Module) -> Mapping[str, float]:
        assert validate and isinstance(average, _Training)
        return validate(average.model.code)

    trained = train(
        fabric,
        _Training(model, distortion(fabric.device), recipe),
        _optimizers(model, recipe),
        _batches(dataset, recipe, recipe.batch),
        out,
        recipe,
        largest_gradient=_LARGEST_GRADIENT,
        belongs_to={"recipe": asdict(recipe), "starting weights": origin},
        validate=measure if validate else None,
        validate_every=validate_every,
    )
    if trained.writes:
        save_weights(out / WEIGHTS, _weights(dataset, recipe, origin, trained))
    return out / WEIGHTS


def plan_training(
    dataset: Dataset,
    recipe: CodecRecipe,
    distortion: Callable[[torch.device], Distortion],
    *,
    start: Path | None = None,
    mask: Path | None = None,
    device: str = "cpu",
) -> TrainingPlan:
    """Return what `train_codec` with the same arguments will take, on one device.

    Raises:
        UsageError: if recipe, data set and starting weights do not go together.
    """
    model = build(dataset, recipe, start, mask)
    fabric = open_fabric(device, 1, recipe.bfloat16)
    return plan(
        fabric,
        _Training(model, distortion(fabric.device), recipe),
        _optimizers(model, recipe),
        _batches(dataset, recipe, recipe.batch),
        recipe,
        largest_gradient=_LARGEST_GRADIENT,
    )


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
    network = parts.network or NCN(recipe.channels)
    lsmnet = LSMnet(parts.backbone, recipe.channels) if parts.backbone else None
    if lsmnet and parts.to_alpha:
        lsmnet.to_alpha = parts.to_alpha
    model = Model(network, lsmnet)
    if parts.network is None:
        initialize(network, pad(_batches(dataset, recipe, _FIRST_IMAGES)[0][0]))
    if recipe.trained == "ncn-lsm":
        network.requires_grad_(False)
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


def _hash(path: Path | None) -> str:
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def _batches(dataset: Dataset, recipe: CodecRecipe, batch: int) -> Batches:
    return Batches(dataset, batch, recipe.seed, Augmentation(crop=recipe.crop))


def _optimizers(model: Model, recipe: CodecRecipe) -> list[tuple[torch.optim.Optimizer, float]]:
    """Adam for all that is trained, or Muon for the network's kernels and Adam for the rest."""
    layers: list[nn.Module] = []
    if recipe.kernel_rate:
        network = model.network
        parts = (network.analysis, network.hyper_encoder, network.hyper_decoder, network.synthesis)
        kinds = (nn.Conv2d, nn.ConvTranspose2d)
        layers = [layer for part in parts for layer in part if isinstance(layer, kinds)]
        layers = [layer for layer in layers if layer.weight.requires_grad]
    kernels = {id(layer.weight) for layer in layers}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in kernels]
    optimizers: list[tuple[torch.optim.Optimizer, float]]
    optimizers = [(torch.optim.Adam(rest), recipe.learning_rate)]
    if layers:
        optimizers.append((Muon(layers, recipe.kernel_rate), recipe.kernel_rate))
    return optimizers


def _weights(
    dataset: Dataset, recipe: CodecRecipe, origin: Mapping[str, str], trained: Trained
) -> Weights:
    """The average, and what its file says of itself."""
    assert isinstance(trained.average, _Training)
    model = trained.average.model
    backbone = {IDENTITY: model.lsmnet.backbone.identity} if model.lsmnet else {}
    training: dict[str, Any] = {
        **backbone,
        "dataset": dataset.name,
        "images": len(dataset.pictures),
        "recipe": asdict(recipe),
        **origin,
        "minutes": round(trained.seconds / 60, 1),
        "device": trained.device,
        "devices": trained.devices,
        "threads": torch.get_num_threads(),
        "validation": dict(trained.validation),
    }
    network = None if recipe.trained == "ncn-lsm" else model.network
    to_alpha = model.lsmnet.to_alpha if model.lsmnet else None
    description = Description(recipe.channels, recipe.rate_weight, recipe.backbone, training)
    return Weights(network, to_alpha, description)
