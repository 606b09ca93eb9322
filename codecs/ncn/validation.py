"""Judges a codec in training on the validation images."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.analysis import open_analysis
from benchmark.datasets.dataset import Dataset, read_image
from benchmark.image import Image
from benchmark.metrics.average_precision import GroundTruth
from benchmark.metrics.image_quality import psnr

Validate = Callable[[Callable[[Image], tuple[Image, float]]], dict[str, float]]
"""Judges a function that gives an image's decoded image and estimated bits."""


def validation(analysis: str, dataset: Dataset, most: int) -> Validate | None:
    """A function that measures estimated rate, PSNR and wAP on validation images.

    Args:
        analysis: spec of the judging analysis network.
        dataset: the validation images.
        most: number of images, the first of the data set; 0 for none: there is no function then.
    """
    pictures = dataset.pictures[:most]
    if not pictures:
        return None
    network = open_analysis(analysis)
    truth = GroundTruth(dataset, pictures) if dataset.categories else None

    def validate(code: Callable[[Image], tuple[Image, float]]) -> dict[str, float]:
        bpp, decibel, found = 0.0, 0.0, {}
        for picture in pictures:
            image = read_image(picture.path)
            decoded, bits = code(image)
            bpp += bits / (image.shape[0] * image.shape[1]) / len(pictures)
            decibel += psnr(image, decoded) / len(pictures)
            if truth:
                found[picture.id] = network.detect([decoded])[0]
        measured = {"validation_bpp": round(bpp, 5), "psnr": round(decibel, 3)}
        if truth:
            measured["wap"] = round(truth.average_precision(found).wap, 3)
        return measured

    return validate
