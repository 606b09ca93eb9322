"""Measure a codec in training on validation images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmark.analysis import TrainingNetwork, open_analysis, open_training_network
from benchmark.analysis.targets import Objects
from benchmark.analysis.training_batches import Augmentation, Batches
from benchmark.datasets.dataset import Dataset, read_image
from benchmark.errors import UsageError
from benchmark.image import Image
from benchmark.metrics.average_precision import GroundTruth
from benchmark.metrics.image_quality import psnr

Validate = Callable[[Callable[[Image], tuple[Image, float]]], dict[str, float]]
"""Measures a function that gives an image's decoded image and estimated bits."""


def validation(analysis: str, dataset: Dataset, most: int, device: str) -> Validate | None:
    """Return a function that measures a codec on validation images.

    It gives the estimated rate (``validation_bpp``, bits per pixel), the mean PSNR (``psnr``, dB),
    and, where there are annotations, wAP (``wap``, percent) and, where the network offers losses,
    the ``gap``: the task loss of the decoded images minus that of the originals. While the gap is
    larger than lambda R, it is the training (or the network) that limits the codec, not the rate.

    Args:
        analysis: spec of the judging analysis network.
        dataset: the validation images.
        most: number of images, the first of the data set; 0 for none: there is no function then.
        device: where the network judges, ``cpu`` or ``cuda``.
    """
    pictures = dataset.pictures[:most]
    if not pictures:
        return None
    network = open_analysis(analysis, device=device)
    truth = GroundTruth(dataset, pictures) if dataset.categories else None
    losses = _task_losses(analysis, dataset, device) if truth else None

    def validate(code: Callable[[Image], tuple[Image, float]]) -> dict[str, float]:
        bpp, decibel, gap, found = 0.0, 0.0, 0.0, {}
        for number, picture in enumerate(pictures):
            image = read_image(picture.path)
            decoded, bits = code(image)
            bpp += bits / (image.shape[0] * image.shape[1]) / len(pictures)
            decibel += psnr(image, decoded) / len(pictures)
            if truth:
                found[picture.id] = network.detect([decoded])[0]
            if losses:
                gap += losses.gap(number, decoded) / len(pictures)
        measured = {"validation_bpp": round(bpp, 5), "psnr": round(decibel, 3)}
        if truth:
            measured["wap"] = round(truth.average_precision(found).wap, 3)
        if losses:
            measured["gap"] = round(gap, 4)
        return measured

    return validate


def _task_losses(analysis: str, dataset: Dataset, device: str) -> _TaskLosses | None:
    try:
        network = open_training_network(analysis, dataset.categories)
    except UsageError:  # the codec is trained for people, or for features of other classes
        return None
    return _TaskLosses(network.to(device), dataset, torch.device(device))


class _TaskLosses:
    """The task loss of decoded images beside that of their originals."""

    def __init__(self, network: TrainingNetwork, dataset: Dataset, device: torch.device) -> None:
        self._network = network
        self._device = device
        self._batches = Batches(dataset, 1, 0, Augmentation())
        self._of_originals: dict[int, float] = {}

    def gap(self, number: int, decoded: Image) -> float:
        """Return the loss of a decoded image minus that of the original."""
        image, objects = self._batches.whole(number)
        if number not in self._of_originals:
            self._of_originals[number] = self._loss(image, objects, number)
        pixels = torch.from_numpy(decoded.copy()).permute(2, 0, 1)[None].float() / 255
        return self._loss(pixels, objects, number) - self._of_originals[number]

    @torch.inference_mode()
    def _loss(self, image: Tensor, objects: Objects, seed: int) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # the same anchors and proposals are drawn for both images
            features = self._network.features(image.to(self._device))
            losses = self._network.losses(features, [objects.to(self._device)])
        return float(torch.stack([loss.float() for loss in losses.values()]).sum())
