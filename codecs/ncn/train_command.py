"""``python -m benchmark train ncn``, ``ncn-lsm`` and ``ncn-lsm-ft``."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from benchmark.errors import UsageError


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
        help="weights of the NCN to start from" + ("" if masked else " (default: from nothing)"),
    )
    if masked:
        parser.add_argument(
            "--mask", type=Path, help="weights of LSMnet to start from (default: from nothing)"
        )
        parser.add_argument(
            "--backbone",
            default=backbone,
            help="of LSMnet: miniscapes or weights:PATH for the features of an analysis network; "
            f"resnet50, vgg16, efficientnet-lite0 for networks trained on ImageNet ({backbone})",
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
        help=f"network that trains and validates: {trains_codecs()} (miniscapes)",
    )
    parser.add_argument("--channels", type=int, default=64, help="of the latent (64; paper: 192)")
    parser.add_argument("--iterations", type=int, default=4000, help="steps (4000)")
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="at its highest (5e-4)")
    parser.add_argument(
        "--kernel-rate",
        type=float,
        default=0.0,
        help="orthogonalize the updates of kernels (Muon); a step moves a kernel by this part of "
        "its norm, at its highest (0: Adam has the kernels too)",
    )
    parser.add_argument("--batch", type=int, default=2, help="images a step and device (2)")
    parser.add_argument(
        "--crop",
        type=_size,
        metavar="WIDTHxHEIGHT",
        help="part of each image that is trained on (default: all of it)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--float32", action="store_true", help="do not compute in bfloat16")
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


def train(options: argparse.Namespace, trained: str) -> Path:
    """Trains as `add_options` says; the path of the weights.

    Raises:
        UsageError: if options, files and data sets do not go together.
    """
    import torch

    from benchmark.analysis import open_training_network
    from benchmark.datasets import open_training_split

    from .distortion import distortion, loss_weights
    from .training import CodecRecipe, train_codec
    from .validation import validation

    for name in ("scenes", "channels", "iterations", "batch", "devices", "rate_weight"):
        if not getattr(options, name) > 0:
            option = "lambda" if name == "rate_weight" else name
            raise UsageError(f"--{option} {getattr(options, name)}: a number above 0 is needed")
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = CodecRecipe(
        trained=trained,
        loss=options.loss,
        rate_weight=options.rate_weight,
        iterations=options.iterations,
        channels=options.channels,
        backbone=options.backbone,
        batch=options.batch,
        crop=options.crop,
        learning_rate=options.learning_rate,
        kernel_rate=options.kernel_rate,
        bfloat16=not options.float32,
        seed=options.seed,
    )
    losses = tuple(loss_weights(recipe.loss))
    training, judged = open_training_split(options.dataset, options.scenes)
    network = open_training_network(options.analysis, training.categories)
    return train_codec(
        training,
        options.out,
        recipe,
        lambda device: distortion(losses, network.to(device)),
        start=options.start,
        mask=options.mask,
        validate=validation(options.analysis, judged, options.validation_images),
        validate_every=options.validate_every,
        device=options.device,
        devices=options.devices,
    )


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or not int(match[1]) or not int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form WIDTHxHEIGHT")
    return int(match[2]), int(match[1])
