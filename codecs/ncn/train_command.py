"""``python -m benchmark train ncn``, ``ncn-lsm`` and ``ncn-lsm-ft``."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import Problems

if TYPE_CHECKING:
    from benchmark.analysis import TrainingNetwork
    from benchmark.datasets.dataset import Dataset

    from .distortion import Distortion
    from .starting_point import CodecRecipe


def add_options(parser: argparse.ArgumentParser, trained: str, backbone: str) -> None:
    """The options of a training.

    Args:
        parser: that of the command.
        trained: one of ``ncn``, ``ncn-lsm``, ``ncn-lsm-ft``.
        backbone: LSMnet's, where none is asked for.
    """
    from benchmark.analysis import trains_codecs
    from benchmark.datasets import trainable

    masked = trained != "ncn"
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and logs")
    parser.add_argument(
        "--lambda",
        dest="rate_weight",
        type=float,
        required=True,
        help="trained is loss + lambda * bits per pixel",
    )
    parser.add_argument(
        "--loss",
        default="task",
        metavar="NAME[:WEIGHT],...",
        help="hvs: mean squared error; feature: distance of the analysis network's features; "
        "task: the analysis network's own losses; or a weighted sum, task:1,hvs:0.002 (task)",
    )
    parser.add_argument(
        "--start",
        type=Path,
        required=masked,
        metavar="FILE",
        help="NCN to start from: weights.safetensors of a training, or a published *.pth.tar"
        + ("" if masked else " (default: from nothing)"),
    )
    if masked:
        parser.add_argument(
            "--mask",
            type=Path,
            metavar="FILE",
            help="LSMnet's convolution to start from: weights.safetensors of a training, or a "
            "published *.pth.tar with an LSMnet (default: from nothing)",
        )
        parser.add_argument(
            "--backbone",
            default=backbone,
            required=not backbone,
            help="of LSMnet: miniscapes or weights:PATH for the features of an analysis network; "
            "detectron2:PATH for the ResNet-50 of a Detectron2 checkpoint with red first, as the "
            "paper's authors trained theirs, detectron2-bgr:PATH with blue first, as Detectron2 "
            "trained it; resnet50, vgg16, efficientnet-lite0 for networks trained on ImageNet"
            + (f" ({backbone})" if backbone else ""),
        )
    else:
        parser.set_defaults(mask=None, backbone="")
    parser.add_argument(
        "--dataset",
        default="miniscapes",
        help=f"{trainable()}; its training split is used (miniscapes)",
    )
    parser.add_argument("--scenes", type=int, default=2000, help="of Miniscapes (2000)")
    parser.add_argument(
        "--analysis",
        default="miniscapes",
        help=f"network that trains and validates: {trains_codecs()} (miniscapes); detectron2 "
        "trains on images of the size that it judges, 2048x1024",
    )
    parser.add_argument("--channels", type=int, default=64, help="of the latent (64; paper: 192)")
    parser.add_argument(
        "--hidden-channels", type=int, default=0, help="of the transforms inside (0: as the latent)"
    )
    parser.add_argument("--iterations", type=int, default=4000, help="steps (4000)")
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="at its highest (5e-4)")
    parser.add_argument(
        "--optimizer",
        choices=("centered-adam", "adam"),
        default="centered-adam",
        help="centered-adam: the updates of a kernel behind a ReLU sum to zero, and each channel "
        "of the latent has a gain that is learned faster; adam: neither (centered-adam)",
    )
    parser.add_argument(
        "--latent-gain",
        type=float,
        default=1.0,
        help="multiply the latent of --start by this before the first step; below 1 it is "
        "quantized more coarsely, from where a higher lambda is reached in fewer steps (1)",
    )
    parser.add_argument("--batch", type=int, default=2, help="images a step and device (2)")
    parser.add_argument(
        "--crop",
        type=_size,
        metavar="WIDTHxHEIGHT",
        help="part of each image that is trained on (default: all of it)",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="take a few steps, say how long all of them will take and how much memory, and write "
        "nothing",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--float32",
        action="store_true",
        help="do not compute in bfloat16, as is done where the device is fast in it",
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="to train on (cpu)"
    )
    parser.add_argument("--devices", type=int, default=1, help="number of them (1)")
    parser.add_argument("--threads", type=int, help="on a CPU (default: one a core)")
    parser.add_argument(
        "--validate-every", type=int, default=0, help="steps (default: at the end only)"
    )
    parser.add_argument(
        "--validation-images", type=int, default=100, help="at most; 0 for no validation (100)"
    )


def train(options: argparse.Namespace, trained: str) -> Path | str:
    """Train as `add_options` says; return the path of the weights, after ``--plan`` the plan.

    Raises:
        UsageError: if options, files and data sets do not go together, with all that does not.
    """
    import torch

    from .distortion import distortion
    from .starting_point import check_dataset, open_parts
    from .training import plan_training, train_codec
    from .validation import validation

    problems = Problems()
    asked = _opened(options, trained, problems)
    if problems:  # all that is wrong is told, not the first only
        with problems.noted():
            open_parts(asked.recipe, options.start, options.mask)
        with problems.noted():
            if asked.training:
                check_dataset(asked.training, asked.recipe)
    problems.refuse()
    assert asked.training and asked.judged
    if options.threads:
        torch.set_num_threads(options.threads)

    def measured(device: torch.device) -> Distortion:
        network = asked.network.to(device) if asked.network else None
        return distortion(asked.losses, network)

    if options.plan:
        plan = plan_training(
            asked.training,
            asked.recipe,
            measured,
            start=options.start,
            mask=options.mask,
            device=options.device,
        )
        return plan.text()
    return train_codec(
        asked.training,
        options.out,
        asked.recipe,
        measured,
        start=options.start,
        mask=options.mask,
        validate=validation(
            options.analysis, asked.judged, options.validation_images, options.device
        ),
        validate_every=options.validate_every,
        device=options.device,
        devices=options.devices,
    )


_ABOVE_ZERO = (
    *("scenes", "channels", "iterations", "batch", "devices", "threads"),
    *("rate_weight", "learning_rate", "latent_gain"),
)
_FROM_ZERO = ("hidden_channels", "seed", "validate_every", "validation_images")


@dataclass
class _Asked:
    """What a training needs, opened as far as it could be."""

    recipe: CodecRecipe
    losses: Sequence[str] = ()
    training: Dataset | None = None
    judged: Dataset | None = None
    network: TrainingNetwork | None = None


def _opened(options: argparse.Namespace, trained: str, problems: Problems) -> _Asked:
    """Open what the options name, and note what is wrong with it."""
    from benchmark.analysis import open_training_network
    from benchmark.datasets import open_training_split
    from benchmark.run.device import choose_device
    from benchmark.training.loop import computes_in_bfloat16

    from .distortion import loss_weights
    from .starting_point import CodecRecipe

    _check_numbers(options, problems)
    with problems.noted():
        choose_device(options.device)
    recipe = CodecRecipe(
        trained=trained,
        loss=options.loss,
        rate_weight=options.rate_weight,
        iterations=options.iterations,
        channels=options.channels,
        hidden_channels=options.hidden_channels,
        backbone=options.backbone,
        batch=options.batch,
        crop=options.crop,
        learning_rate=options.learning_rate,
        optimizer=options.optimizer,
        latent_gain=options.latent_gain,
        bfloat16=not options.float32 and computes_in_bfloat16(options.device),
        seed=options.seed,
    )
    asked = _Asked(recipe)
    with problems.noted():
        asked.losses = tuple(loss_weights(options.loss))
    with problems.noted():
        asked.training, asked.judged = open_training_split(options.dataset, options.scenes)
    with problems.noted():
        if {"feature", "task"} & set(asked.losses):
            with_labels = asked.training is not None and "task" in asked.losses
            categories = asked.training.categories if asked.training and with_labels else ()
            asked.network = open_training_network(options.analysis, categories)
    if asked.training:
        with problems.noted():
            _check_sizes(asked.training, options, asked.network)
    return asked


def _check_numbers(options: argparse.Namespace, problems: Problems) -> None:
    """Note the options whose numbers are out of range."""
    for name in _ABOVE_ZERO + _FROM_ZERO:
        value = getattr(options, name)
        option = "lambda" if name == "rate_weight" else name.replace("_", "-")
        fits = value is None or value > 0 or (value == 0 and name in _FROM_ZERO)
        if not fits or value == math.inf:
            least = "of at least 0" if name in _FROM_ZERO else "above 0"
            problems.add(f"--{option} {value}: a number {least} is needed")
    if options.channels > 0 and options.channels % 2:
        problems.add(f"--channels {options.channels}: an even number is needed")


def _check_sizes(
    dataset: Dataset, options: argparse.Namespace, network: TrainingNetwork | None
) -> None:
    """Refuse crops that are larger than an image, and images that the network sees resized.

    Raises:
        UsageError: naming the first image that does not fit.
    """
    from benchmark.datasets.image_file import shown_size

    problems = Problems()
    crop_height, crop_width = options.crop or (0, 0)
    for picture in dataset.pictures:
        height, width = size = shown_size(picture.path)
        if crop_height > height or crop_width > width:
            problems.add(
                f"--crop {crop_width}x{crop_height} is larger than {picture.path}, which is "
                f"{width} x {height}"
            )
        elif network and network.seen_size(size) != size:
            seen = network.seen_size(size)
            problems.add(
                f"{options.analysis} judges {picture.path}, which is {width} x {height}, resized "
                f"to {seen[1]} x {seen[0]}, but its losses are of images as they are: use images "
                "of that size, or another --analysis"
            )
        if problems:
            break
    problems.refuse()


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or not int(match[1]) or not int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form WIDTHxHEIGHT")
    return int(match[2]), int(match[1])
