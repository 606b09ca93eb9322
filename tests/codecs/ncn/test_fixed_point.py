"""The exact hyper decoder and model of z: the same everywhere, and close to the network."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.codecs.ncn.fixed_point import (
    HYPER_LATENT_LIMIT,
    LIMIT,
    ExactDistribution,
    ExactHyperDecoder,
    ExactHyperLatentModel,
    HyperLatentScan,
    _exact_convolution,
)
from benchmark.codecs.ncn.layers import convolution, laplace_bits
from benchmark.codecs.ncn.network import NCN
from benchmark.codecs.ncn.published import from_published
from benchmark.codecs.ncn.scale_table import FRACTION_BITS, SCALES, THRESHOLDS
from benchmark.errors import UsageError

CHANNELS = 32


@pytest.fixture(scope="module")
def network(published) -> NCN:
    return from_published(published(CHANNELS))[0]


@pytest.fixture(scope="module")
def coded(network: NCN, picture_of):
    with torch.no_grad():
        return network(picture_of(192, 256))


def hyper_latent(size: int, batch: int = 1, height: int = 4, width: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (batch, CHANNELS // 2, height, width)
    return torch.randint(-size, size + 1, shape, generator=generator)


def same(one: ExactDistribution, other: ExactDistribution) -> bool:
    return torch.equal(one.mean, other.mean) and torch.equal(one.scale_index, other.scale_index)


@pytest.mark.parametrize("size", [5, 55, HYPER_LATENT_LIMIT])
def test_neither_layout_nor_batch_nor_threads_nor_onednn_change_a_bit(network, size) -> None:
    values = hyper_latent(size, batch=3).double()
    threads = torch.get_num_threads()
    for exact in (
        ExactHyperDecoder(network.hyper_decoder),
        ExactHyperLatentModel(network.hyper_latent_model),
    ):
        expected = exact(values)
        assert same(exact(values.to(memory_format=torch.channels_last)), expected)
        assert torch.equal(exact(values[1:2]).mean, expected.mean[1:2])
        try:
            torch.set_num_threads(2)
            with torch.backends.mkldnn.flags(enabled=False):
                assert same(exact(values), expected)
        finally:
            torch.set_num_threads(threads)


@pytest.mark.parametrize("size", [5, HYPER_LATENT_LIMIT])
def test_the_order_of_sums_does_not_change_a_bit(network: NCN, published, size: int) -> None:
    order = torch.randperm(CHANNELS // 2, generator=torch.Generator().manual_seed(1))
    values = hyper_latent(size)
    expected = ExactHyperDecoder(network.hyper_decoder)(values)
    other, _ = from_published(published(CHANNELS))
    first = other.hyper_decoder[0]
    first.weight.data = first.weight.data[order]
    # and the channels between the layers, each with its weights
    order = torch.randperm(2 * CHANNELS, generator=torch.Generator().manual_seed(2))
    inner, gdn, last = other.hyper_decoder[2:]
    inner.weight.data, inner.bias.data = inner.weight.data[:, order], inner.bias.data[order]
    gdn.beta.data, gdn.gamma.data = gdn.beta.data[order], gdn.gamma.data[order][:, order]
    last.weight.data = last.weight.data[:, order]
    first_order = torch.randperm(CHANNELS // 2, generator=torch.Generator().manual_seed(1))
    assert same(ExactHyperDecoder(other.hyper_decoder)(values[:, first_order]), expected)


def test_sums_are_those_of_integers_even_at_the_limits() -> None:
    torch.manual_seed(0)
    layer = convolution(64, 2, stride=1)
    exact = _exact_convolution(layer, FRACTION_BITS, LIMIT)
    signs = torch.sign(layer.weight.detach()[:1])
    # the input that makes the first sum as large as it can be
    values = functional.interpolate(signs, (5, 5)).double() * LIMIT
    sums = exact.convolve(values, exact.weight)
    columns = functional.unfold(functional.pad(values, [2] * 4, mode="replicate"), 5).long()
    expected = exact.weight.long().flatten(1) @ columns
    assert torch.equal(sums.long().flatten(2), expected)
    assert 2**49 < expected.abs().max() < 2**52


def test_raster_order_gives_what_the_whole_gives(network: NCN) -> None:
    model = ExactHyperLatentModel(network.hyper_latent_model)
    for size in (5, HYPER_LATENT_LIMIT):
        values = hyper_latent(size, height=3, width=4)
        whole = model(values)
        scan = HyperLatentScan(model, 3, 4)
        for row in range(3):
            for column in range(4):
                found = scan.distribution()
                assert torch.equal(found.mean, whole.mean[0, :, row, column])
                assert torch.equal(found.scale_index, whole.scale_index[0, :, row, column])
                scan.put(values[0, :, row, column])
        assert torch.equal(scan.hyper_latent, values[0].double())


def test_means_and_scales_are_those_of_the_network(network: NCN, coded) -> None:
    with torch.no_grad():
        pairs = [
            (
                ExactHyperDecoder(network.hyper_decoder)(coded.hyper_latent),
                network.latent_distribution(coded.hyper_latent),
            ),
            (
                ExactHyperLatentModel(network.hyper_latent_model)(coded.hyper_latent),
                network.hyper_latent_model(coded.hyper_latent),
            ),
        ]
    for found, expected in pairs:
        deviation = found.mean / 2**FRACTION_BITS - expected.mean
        assert deviation.abs().max() < 0.01
        scales = torch.tensor([float(scale) for scale in SCALES])[found.scale_index]
        inside = (expected.scale > 1 / 128) & (expected.scale < 256)
        ratio = (scales / expected.scale)[inside].log()
        # half a step of the table, and a little for the rounding
        assert ratio.abs().max() < math.log(2) / 10 + 0.01


def test_the_rate_rises_by_less_than_half_a_percent(network: NCN, coded) -> None:
    found = ExactHyperDecoder(network.hyper_decoder)(coded.hyper_latent)
    scales = torch.tensor([float(scale) for scale in SCALES])[found.scale_index]
    bits = laplace_bits(coded.latent, found.mean / 2.0**FRACTION_BITS, scales).sum()
    assert bits / coded.latent_bits.sum() < 1.005


def test_thresholds_are_where_the_nearest_scale_changes() -> None:
    assert list(THRESHOLDS) == sorted(set(THRESHOLDS))
    for threshold, low, high in zip(reversed(THRESHOLDS), SCALES, SCALES[1:], strict=False):
        scale = math.log1p(math.exp(-threshold / 2**FRACTION_BITS))
        assert scale == pytest.approx(math.sqrt(float(low * high)), rel=2e-4)


def test_the_same_in_another_process_on_plain_instructions(network: NCN, tmp_path: Path) -> None:
    values = hyper_latent(55)
    expected = ExactHyperDecoder(network.hyper_decoder)(values)
    torch.save((network.state_dict(), values), tmp_path / "in.pt")
    program = """
import sys, torch
from benchmark.codecs.ncn.fixed_point import ExactHyperDecoder
from benchmark.codecs.ncn.network import NCN
state, values = torch.load(sys.argv[1])
network = NCN(32)
network.load_state_dict(state)
found = ExactHyperDecoder(network.hyper_decoder)(values)
torch.save((found.mean, found.scale_index), sys.argv[2])
"""
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    arguments = [sys.executable, "-W", "ignore", "-c", program]
    arguments += [str(tmp_path / "in.pt"), str(tmp_path / "out.pt")]
    subprocess.run(arguments, env=environment, check=True, timeout=60)
    assert same(ExactDistribution(*torch.load(tmp_path / "out.pt")), expected)


def test_what_cannot_be_exact_is_refused(network: NCN, published) -> None:
    exact = ExactHyperDecoder(network.hyper_decoder)
    for wrong in (0.5, HYPER_LATENT_LIMIT + 1, math.nan):
        with pytest.raises(ValueError, match="z-hat is not made of integers"):
            exact(torch.full((1, CHANNELS // 2, 1, 1), wrong))
    for layer, value in ((0, math.nan), (2, 1e9), (4, math.inf)):
        other, _ = from_published(published(CHANNELS))
        other.hyper_decoder[layer].weight.data[0, 0, 0, 0] = value
        with pytest.raises(UsageError, match="too large for exact arithmetic"):
            ExactHyperDecoder(other.hyper_decoder)
