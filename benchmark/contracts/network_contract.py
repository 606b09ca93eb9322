"""The contract of an analysis network (`benchmark.analysis.AnalysisNetwork`)."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from benchmark.analysis import AnalysisNetwork, Detection, TrainsCodecs, open_analysis
from benchmark.contracts.codec_contract import SIZES, test_image
from benchmark.contracts.outcome import Check, checked, expect
from benchmark.image import Image
from benchmark.runner import Finished, open_runner


def check_network(spec: str) -> Iterator[Check]:
    """Put an analysis network through its contract, on the CPU.

    Raises:
        UsageError: if it cannot be opened.
    """
    network = open_analysis(spec)
    images = [test_image(*size) for size in SIZES]
    yield checked("categories have unique ids and names", lambda: _categories(network))
    yield checked("the identity is text, and the same again", lambda: _identity(network, spec))
    for image in images:
        yield checked(
            f"detections in an image of {image.shape[1]} x {image.shape[0]} lie in it",
            functools.partial(_detections, network, image),
        )
    yield checked("the same images give the same detections", lambda: _repeats(network, images))
    yield checked("another process finds the same", lambda: _elsewhere(network, spec, images[-1]))
    if isinstance(network, TrainsCodecs):
        yield checked("losses and features can be differentiated", lambda: _trains(network))


def _categories(network: AnalysisNetwork) -> str:
    expect(network.categories, "it states none")
    for values in ([its.id for its in network.categories], [c.name for c in network.categories]):
        (value, times), *_ = Counter(values).most_common(1)
        expect(times == 1, f"{times} have {value!r}")
    return f"{len(network.categories)}"


def _identity(network: AnalysisNetwork, spec: str) -> None:
    identity = network.identity()
    for key, value in identity.items():
        expect(isinstance(key, str) and isinstance(value, str), f"{key!r}: {value!r:.80}")
    expect(identity, "it is empty: results of other weights would be taken for its own")
    expect(open_analysis(spec).identity() == identity, "another object has another identity")


def _detections(network: AnalysisNetwork, image: Image) -> str:
    answer = network.detect([image])
    expect(len(answer) == 1, f"detect returned {len(answer)} lists for 1 image")
    (found,) = answer
    ids, size = {category.id for category in network.categories}, image.shape[:2]
    for one in found:
        expect(one.category_id in ids, f"category {one.category_id} is none of its own")
        expect(0 <= one.score <= 1, f"the score {one.score} is not in 0 to 1")
        expect(tuple(one.size) == size, f"{one.size} is not the image's {size}")
        x, y, width, height = one.box
        finite = all(math.isfinite(value) for value in one.box) and width >= 0 and height >= 0
        inside = finite and x >= -1 and y >= -1
        inside = inside and x + width <= size[1] + 1 and y + height <= size[0] + 1
        expect(inside, f"the box {one.box} (x, y, width, height) is not in {size}")
        if one.counts is not None:
            expect(one.mask().shape == size, f"a mask has the size {one.mask().shape}")
    scores = [one.score for one in found]
    expect(scores == sorted(scores, reverse=True), "they are not sorted by falling score")
    masks = {one.counts is not None for one in found}
    expect(len(masks) < 2, "some have masks and some have none")
    return f"{len(found)}{' with masks' if masks == {True} else ''}"


def _repeats(network: AnalysisNetwork, images: Sequence[Image]) -> None:
    first, second = network.detect(images), network.detect(images)
    expect(len(first) == len(images), f"{len(first)} lists for {len(images)} images")
    expect(first == second, "they differ")


def _elsewhere(network: AnalysisNetwork, spec: str, image: Image) -> None:
    runner = open_runner("local", 1)
    (outcome,) = runner.run(_found, [(spec, image)])
    runner.close()
    expect(isinstance(outcome, Finished), getattr(outcome, "reason", ""))
    assert isinstance(outcome, Finished)
    here = network.detect([image])[0]
    expect(_alike(outcome.result, here), f"{len(outcome.result)} there, {len(here)} here")


def _alike(one: Sequence[Detection], other: Sequence[Detection]) -> bool:
    """Whether detections are the same but for rounding: here threads may be more than one."""
    return len(one) == len(other) and all(
        a.category_id == b.category_id and abs(a.score - b.score) < 1e-3
        for a, b in zip(one, other, strict=True)
    )


def _found(task: tuple[str, Image]) -> list[Detection]:
    spec, image = task
    return open_analysis(spec).detect([image])[0]


def _trains(network: TrainsCodecs) -> str:
    import torch

    from benchmark.analysis.targets import Objects

    weights = network.training_network()
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    images.requires_grad_()
    mask = torch.zeros(1, 64, 96, dtype=torch.uint8)
    mask[:, 8:40, 16:60] = 1
    box, label = torch.tensor([[16.0, 8.0, 60.0, 40.0]]), torch.tensor([1])
    target = Objects(box, label, mask, torch.zeros(64, 96, dtype=torch.bool))
    features = weights.features(images)
    losses = weights.losses(features, [target])
    distance = sum((level.float() ** 2).mean() for level in features.levels)
    for what, value in (("losses", sum(losses.values())), ("features", distance)):
        assert isinstance(value, torch.Tensor)
        (gradient,) = torch.autograd.grad(value, images, retain_graph=True)
        expect(gradient.isfinite().all() and gradient.any(), f"{what} have no gradient")
    salient = weights.stride16_features(images)
    wanted = (1, weights.stride16_channels, 4, 6)
    expect(tuple(salient.shape) == wanted, f"stride16_features: {tuple(salient.shape)}, {wanted}")
    return f"{', '.join(losses)}"
