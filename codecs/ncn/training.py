"""Trains an NCN, an LSMnet on it, or both together, for people or for the analysis network."""

from __future__ import annotations

import copy
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from benchmark.analysis.mask_rcnn.targets import Objects
from benchmark.analysis.mask_rcnn.training_batches import Augmentation, Batches
from benchmark.datasets.dataset import Dataset
from benchmark.errors import UsageError
from benchmark.image import Image
from benchmark.training.loop import (
    CHECKPOINT,
    LOG,
    WEIGHTS,
    Log,
    follow,
    interruptions,
    learning_rate,
    load_checkpoint,
    save_checkpoint,
)

from .backbones import open_backbone
from .distortion import Distortion, loss_weights, total
from .initialization import initialize
from .layers import pad
from .lsmnet import LSMnet
from .muon import Muon
from .network import NCN, Coded
from .validation import Validate
from .weights_file import Description, Weights, load_weights, save_weights

TRAINED = ("ncn", "ncn-lsm", "ncn-lsm-ft")
"""What can be trained: the NCN alone, LSMnet's 1x1 convolution alone, both together."""

_CHECKPOINT_SECONDS = 300
_LARGEST_GRADIENT = 1.0
_FIRST_IMAGES = 8
"""That an untrained network is initialized on."""


@dataclass(frozen=True)
class Recipe:
    """All that decides the trained weights, beside the data set and the starting weights.

    Attributes:
        trained: one of `TRAINED`.
        loss: what is weighed against the rate: a loss, or a sum of losses (`loss_weights`).
        rate_weight: lambda; trained is loss + lambda * R, with R in bits per pixel.
        iterations: number of steps; the learning rate falls to zero over them (half a cosine).
        channels: those of the latent.
        backbone: of LSMnet (`open_backbone`); empty for the NCN alone.
        batch: images a step and device.
        crop: height and width of the parts of images that are trained on; None takes them whole.
        learning_rate: Adam's, at its highest.
        kernel_rate: `Muon`'s, at its highest, for the kernels of transforms and hyperprior; at 0
            Adam has them too.
        warm_up: steps over which the learning rates rise.
        averaging: decay of the moving average of the weights; the average is what is kept.
        bfloat16: whether transforms and analysis network compute in bfloat16; weights and
            likelihoods stay in float32.
        seed: of the first weights, the order of images, noise and sampling.
    """

    trained: str
    loss: str
    rate_weight: float
    iterations: int
    channels: int
    backbone: str = ""
    batch: int = 2
    crop: tuple[int, int] | None = None
    learning_rate: float = 5e-4
    kernel_rate: float = 0.0
    warm_up: int = 100
    averaging: float = 0.998
    bfloat16: bool = True
    seed: int = 0


class Model(nn.Module):
    """The trained codec as one module: an NCN and, perhaps, an LSMnet."""

    def __init__(self, network: NCN, lsmnet: LSMnet | None) -> None:
        super().__init__()
        self.network = network
        self.lsmnet = lsmnet

    def coded(self, images: Tensor) -> Coded:
        """As `NCN.forward`, masked where there is an LSMnet."""
        return self.network(images, self.lsmnet(images) if self.lsmnet else None)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Decoded images, N x 3 x H x W as the input, and R in bits per pixel."""
        coded = self.coded(images)
        return coded.images, coded.bits_per_pixel

    @torch.inference_mode()
    def code(self, image: Image) -> tuple[Image, float]:
        """The decoded image and the estimated bits, in evaluation mode."""
        device = next(self.parameters()).device
        pixels = torch.from_numpy(image.copy()).to(device).permute(2, 0, 1)[None].float() / 255
        coded = self.eval().coded(pixels)
        decoded = (coded.images[0] * 255).round().clamp(0, 255).byte().permute(1, 2, 0)
        return decoded.cpu().numpy(), float(coded.bits)


def train_codec(
    dataset: Dataset,
    out: Path,
    recipe: Recipe,
    distortion: Callable[[torch.device], Distortion],
    *,
    start: Path | None = None,
    mask: Path | None = None,
    validate: Validate | None = None,
    validate_every: int = 0,
    accelerator: str = "cpu",
    devices: int = 1,
) -> Path:
    """Trains and writes the weights; goes on where an earlier call was stopped.

    ``out`` then holds the weights, a checkpoint (replaced every 5 minutes and when the training
    is interrupted) and a log, a line of JSON every 20 steps and at every validation. The step's
    number decides all randomness, so an interrupted training ends with the same weights.

    Args:
        dataset: the training images.
        out: a folder, made if missing.
        recipe: how to train.
        distortion: gives the loss that is weighed against the rate, on a device.
        start: weights file of the NCN to start from; ``ncn`` may start from nothing.
        mask: weights file of the 1x1 convolution to start from; without it, from nothing.
        validate: judges the codec as it is; what it gives is logged.
        validate_every: steps from one validation to the next; 0: at the end only.
        accelerator: ``cpu``, ``cuda``, or another of Lightning Fabric's.
        devices: how many of them; each takes a batch of its own.

    Returns:
        The path of the weights.

    Raises:
        UsageError: if recipe, data set, starting weights and what ``out`` holds do not go
            together.
        KeyboardInterrupt: after SIGINT or SIGTERM, the checkpoint being written.
    """
    model = build(dataset, recipe, start, mask)
    batches = Batches(dataset, recipe.batch, recipe.seed, Augmentation(crop=recipe.crop))
    if start is None:
        examples = Batches(dataset, _FIRST_IMAGES, recipe.seed, Augmentation(crop=recipe.crop))
        initialize(model.network, pad(examples[0][0]))
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        precision="bf16-mixed" if recipe.bfloat16 else "32-true",
    )
    fabric.launch()
    out.mkdir(parents=True, exist_ok=True)
    state = _State(fabric, model, recipe, {"start": _hash(start), "mask": _hash(mask)})
    state.resume(out / CHECKPOINT)
    measure = distortion(fabric.device)
    log = Log(out / LOG, state.iteration) if fabric.is_global_zero else None
    saved = time.monotonic()

    def judge() -> None:
        if validate and log:
            log.write({"iteration": state.iteration, **validate(state.average.code)})

    with (
        interruptions() as interrupted,
        tqdm(
            total=recipe.iterations,
            initial=state.iteration,
            unit="step",
            disable=not fabric.is_global_zero,
        ) as progress,
    ):
        while state.iteration < recipe.iterations:
            number = state.iteration * fabric.world_size + fabric.global_rank
            losses = state.step(measure, *batches[number])
            progress.update()
            if log:
                log.add(state.iteration, state.seconds, losses)
            last = state.iteration == recipe.iterations
            if validate_every and state.iteration % validate_every == 0 and not last:
                judge()
            late = time.monotonic() - saved > _CHECKPOINT_SECONDS
            if late or last or interrupted.is_set():
                if fabric.is_global_zero:
                    state.save(out / CHECKPOINT)
                saved = time.monotonic()
            if interrupted.is_set():
                raise KeyboardInterrupt
    judge()
    if fabric.is_global_zero:
        save_weights(out / WEIGHTS, state.weights(dataset))
    return out / WEIGHTS


def build(dataset: Dataset, recipe: Recipe, start: Path | None, mask: Path | None) -> Model:
    """The model that a training starts from; refuses what does not go together.

    Raises:
        UsageError: with what does not, and what to do.
    """
    if not dataset.pictures:
        raise UsageError(f"{dataset.name} has no images to train on")
    if "task" in loss_weights(recipe.loss) and not dataset.categories:
        raise UsageError(
            f"{dataset.name} has no annotations, which the loss 'task' needs: use 'feature' or "
            "'hvs', or another data set"
        )
    masked = recipe.trained != "ncn"
    if masked and start is None:
        raise UsageError(f"{recipe.trained} needs a trained NCN to start from: give --start")
    if masked != bool(recipe.backbone):
        what = "needs" if masked else "has no LSMnet and takes no"
        raise UsageError(f"{recipe.trained} {what} --backbone")
    if mask is not None and not masked:
        raise UsageError("ncn has no LSMnet and takes no --mask")
    torch.manual_seed(recipe.seed)
    network = NCN(recipe.channels) if start is None else _network(start, recipe)
    lsmnet = None
    if masked:
        lsmnet = LSMnet(open_backbone(recipe.backbone), recipe.channels)
        if mask is not None:
            lsmnet.to_alpha = _to_alpha(mask, recipe, lsmnet)
    model = Model(network, lsmnet)
    if recipe.trained == "ncn-lsm":
        network.requires_grad_(False)
    return model


def _network(path: Path, recipe: Recipe) -> NCN:
    network = load_weights(path).network
    if network is None:
        raise UsageError(f"{path} holds no NCN: give the weights of an ncn as --start")
    if network.channels != recipe.channels:
        raise UsageError(
            f"{path} has {network.channels} channels and not {recipe.channels}: change --channels"
        )
    return network


def _to_alpha(path: Path, recipe: Recipe, lsmnet: LSMnet) -> nn.Conv2d:
    stored = load_weights(path)
    if stored.to_alpha is None:
        raise UsageError(f"{path} holds no LSMnet: give the weights of an ncn-lsm as --mask")
    if stored.description.backbone != recipe.backbone:
        raise UsageError(
            f"{path} was trained on the backbone {stored.description.backbone} and not on "
            f"{recipe.backbone}: change --backbone"
        )
    if stored.to_alpha.weight.shape != lsmnet.to_alpha.weight.shape:
        raise UsageError(f"{path} does not fit {recipe.channels} channels: change --channels")
    return stored.to_alpha


def _hash(path: Path | None) -> str:
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


class _State:
    """Model, average and optimiser after some steps."""

    def __init__(
        self, fabric: Fabric, model: Model, recipe: Recipe, origin: dict[str, str]
    ) -> None:
        self.fabric = fabric
        self.recipe = recipe
        self.origin = origin
        self.iteration = 0
        self.seconds = 0.0
        model = model.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(model).to(fabric.device).eval().requires_grad_(False)
        self.loss_weights = loss_weights(recipe.loss)
        self.model, *optimizers = fabric.setup(model, *_optimizers(model, recipe.kernel_rate > 0))
        self.optimizers = list(zip(optimizers, (recipe.learning_rate, recipe.kernel_rate)))

    def step(
        self, distortion: Distortion, images: Tensor, objects: Sequence[Objects]
    ) -> dict[str, float]:
        """One step on N x 3 x H x W images; the losses before it."""
        started = time.monotonic()
        recipe, fabric = self.recipe, self.fabric
        torch.manual_seed((recipe.seed * 1_000_003 + self.iteration) * 1_009 + fabric.global_rank)
        for optimizer, highest in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(
                    highest, self.iteration, recipe.iterations, recipe.warm_up
                )
        images = images.to(fabric.device, memory_format=torch.channels_last)
        moved = [each.to(fabric.device) for each in objects]
        self.model.train()
        decoded, bpp = self.model(images)
        with fabric.autocast():
            terms = distortion(decoded, images, moved)
        loss = total(terms, self.loss_weights) + recipe.rate_weight * bpp
        for optimizer, _ in self.optimizers:
            optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(
            self.model,
            self.optimizers[0][0],
            max_norm=_LARGEST_GRADIENT,
            error_if_nonfinite=False,
        )
        for optimizer, _ in self.optimizers:
            optimizer.step()
        follow(self.average, self.model.module, self.iteration, recipe.averaging)
        self.iteration += 1
        self.seconds += time.monotonic() - started
        losses = {"loss": loss, **terms, "bpp": bpp}
        return {name: float(value.detach()) for name, value in losses.items()}

    def weights(self, dataset: Dataset) -> Weights:
        """The average, and what its file says of itself."""
        recipe = self.recipe
        training = {
            "dataset": dataset.name,
            "images": len(dataset.pictures),
            "recipe": asdict(recipe),
            **self.origin,
            "minutes": round(self.seconds / 60, 1),
            "device": self.fabric.device.type,
            "devices": self.fabric.world_size,
            "threads": torch.get_num_threads(),
        }
        network = None if recipe.trained == "ncn-lsm" else self.average.network
        to_alpha = self.average.lsmnet.to_alpha if self.average.lsmnet else None
        description = Description(recipe.channels, recipe.rate_weight, recipe.backbone, training)
        return Weights(network, to_alpha, description)

    def save(self, path: Path) -> None:
        """Writes all that `resume` needs, complete or not at all."""
        save_checkpoint(
            path,
            {
                **self._belongs_to(),
                "iteration": self.iteration,
                "seconds": self.seconds,
                "model": self.model.module.state_dict(),
                "average": self.average.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer, _ in self.optimizers],
            },
        )

    def resume(self, path: Path) -> None:
        """Takes over a checkpoint, if there is one.

        Raises:
            UsageError: if it is of a training with another recipe or another start.
        """
        stored = load_checkpoint(path, self.fabric.device, self._belongs_to())
        if stored is None:
            return
        self.model.module.load_state_dict(stored["model"])
        self.average.load_state_dict(stored["average"])
        for (optimizer, _), kept in zip(self.optimizers, stored["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.iteration = stored["iteration"]
        self.seconds = stored["seconds"]

    def _belongs_to(self) -> dict[str, Any]:
        return {"recipe": asdict(self.recipe), "starting weights": self.origin}


def _optimizers(model: Model, orthogonalize: bool) -> list[torch.optim.Optimizer]:
    """Adam for all that is trained, or Muon for the network's kernels and Adam for the rest."""
    network = model.network
    layers = [
        layer
        for part in (network.analysis, network.hyper_encoder, network.hyper_decoder)
        for layer in part
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.weight.requires_grad
    ]
    layers += [layer for layer in network.synthesis if isinstance(layer, nn.ConvTranspose2d)]
    kernels = {id(layer.weight) for layer in layers} if orthogonalize else set()
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in kernels]
    adam = torch.optim.Adam(rest)
    return [adam, Muon(layers, lr=0.0)] if orthogonalize else [adam]
