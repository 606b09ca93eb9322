"""Entropy coding: exact, as small as estimated, the same everywhere, and safe from bad files."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.codecs.ncn.bitstream import BitstreamError
from benchmark.codecs.ncn.entropy_coding import LATENT_LIMIT, MEAN_STEPS, LatentCoder, laplace_table
from benchmark.codecs.ncn.fixed_point import (
    HYPER_LATENT_LIMIT,
    ExactDistribution,
    HyperLatentScan,
)
from benchmark.codecs.ncn.layers import laplace_bits
from benchmark.codecs.ncn.network import NCN
from benchmark.codecs.ncn.scale_table import FRACTION_BITS, SCALES

HEADER = b"header"
TABLES = "c6b60344c092a0f175810638fb81747186b38687b62aa15ee317faf5c0885e7b"


def a_network(channels: int, raw_scale: float = 0) -> NCN:
    """A network from a seed whose means and scales vary widely; a larger raw scale: less bits."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(channels)
        network = NCN(channels).eval()
        network.hyper_decoder[-1].weight *= 50
        network.hyper_decoder[-1].bias[channels:] += raw_scale
        network.hyper_latent_model.raw_scale.bias += raw_scale / 2
    return network


def sample(expected: ExactDistribution, generator: torch.Generator) -> Tensor:
    """Integers that have these distributions."""
    scales = torch.tensor([float(scale) for scale in SCALES], dtype=torch.float64)
    uniform = torch.rand(expected.mean.shape, generator=generator, dtype=torch.float64) - 0.5
    distance = -scales[expected.scale_index] * torch.log1p(-2 * uniform.abs())
    return torch.round(expected.mean / 2**FRACTION_BITS + uniform.sign() * distance)


def latents(coder: LatentCoder, height: int, width: int) -> tuple[Tensor, Tensor]:
    """y-hat and z-hat as the network expects them."""
    generator = torch.Generator().manual_seed(0)
    scan = HyperLatentScan(coder._hyper_latent_model, height, width)
    for _ in range(height * width):
        scan.put(sample(scan.distribution(), generator))
    hyper_latent = scan.hyper_latent.float()
    return sample(coder.latent_distribution(hyper_latent), generator).float(), hyper_latent


def encoded(coder: LatentCoder, latent: Tensor, hyper_latent: Tensor) -> bytes:
    expected = coder.latent_distribution(hyper_latent)
    return coder.encode(latent, hyper_latent, expected, HEADER)


@pytest.fixture(scope="module")
def coder() -> LatentCoder:
    return LatentCoder(a_network(8))


@pytest.fixture(scope="module")
def image(coder: LatentCoder) -> tuple[Tensor, Tensor]:
    return latents(coder, 2, 3)


@pytest.mark.parametrize("raw_scale", [-4, 0, 4])
@pytest.mark.parametrize(
    ("channels", "height", "width"), [(8, 1, 1), (8, 3, 2), (32, 1, 1), (32, 1, 5), (32, 4, 3)]
)
def test_decoding_gives_what_was_encoded(channels, height, width, raw_scale) -> None:
    coder = LatentCoder(a_network(channels, raw_scale))
    latent, hyper_latent = latents(coder, height, width)
    assert latent.shape == (channels, 4 * height, 4 * width)
    payload = encoded(coder, latent, hyper_latent)
    decoded = coder.decode(payload, (height, width), HEADER)
    assert decoded.dtype == torch.float32
    assert torch.equal(decoded, latent)


def test_the_networks_here_use_many_tables() -> None:
    used: set[int] = set()
    largest_mean = 0.0
    for raw_scale in (-4, 0, 4):
        coder = LatentCoder(a_network(32, raw_scale))
        expected = coder.latent_distribution(latents(coder, 4, 3)[1])
        used |= set(expected.scale_index.unique().tolist())
        largest_mean = max(largest_mean, expected.mean.abs().max().item() / 2**FRACTION_BITS)
    assert len(used) > 50
    assert largest_mean > 8


@pytest.mark.parametrize("chance", [0.01, 1])
def test_any_integer_up_to_the_limits_can_be_coded(coder, image, chance) -> None:
    generator = torch.Generator().manual_seed(1)
    extreme = []
    for values, limit in zip(image, (LATENT_LIMIT, HYPER_LATENT_LIMIT), strict=True):
        size = limit ** torch.rand(values.shape, generator=generator)
        sign = torch.randint(0, 2, values.shape, generator=generator) * 2 - 1
        size[0, 0, :3] = limit
        chosen = torch.rand(values.shape, generator=generator) < chance
        extreme.append(torch.where(chosen, (size * sign).round(), values))
    latent, hyper_latent = extreme
    payload = encoded(coder, latent, hyper_latent)
    assert torch.equal(coder.decode(payload, (2, 3), HEADER), latent)


def test_what_is_larger_is_clamped(coder, image) -> None:
    latent, hyper_latent = image[0].clone(), image[1].clone()
    latent[0, 0, :2] = torch.tensor([1e6, -math.inf])
    hyper_latent[0, 0, 0] = 1e9
    payload = encoded(coder, latent, hyper_latent)
    decoded = coder.decode(payload, (2, 3), HEADER)
    assert torch.equal(decoded, latent.clamp(-LATENT_LIMIT, LATENT_LIMIT))


@pytest.mark.parametrize("wrong", [0.5, math.nan])
def test_what_is_no_integer_is_refused(coder, image, wrong) -> None:
    latent, hyper_latent = image
    expected = coder.latent_distribution(hyper_latent)
    with pytest.raises(ValueError, match="not made of integers"):
        coder.latent_distribution(hyper_latent + wrong)
    with pytest.raises(ValueError, match="not made of integers"):
        coder.encode(latent, hyper_latent + wrong, expected)
    with pytest.raises(ValueError, match="not made of integers"):
        coder.encode(latent + wrong, hyper_latent, expected)


@pytest.mark.parametrize("raw_scale", [-2, 0, 2, 4])
def test_the_payload_is_as_large_as_the_network_estimates(raw_scale) -> None:
    network = a_network(32, raw_scale).double()
    coder = LatentCoder(network)
    latent, hyper_latent = latents(coder, 4, 4)
    with torch.no_grad():
        bits = 0.0
        for values, model in (
            (latent, network.latent_distribution),
            (hyper_latent, network.hyper_latent_model),
        ):
            expected = model(hyper_latent.double()[None])
            bits += laplace_bits(values[None], expected.mean, expected.scale).sum().item()
    size = len(encoded(coder, latent, hyper_latent))
    assert size == pytest.approx(bits / 8 + 4, rel=0.002, abs=5)


def table_bits(values: Tensor, expected: ExactDistribution) -> float:
    """The cost of integers by the tables, one after another, and of CompressAI's escapes."""
    bits = 0.0
    for value, mean, scale_index in zip(
        *(part.flatten().tolist() for part in (values, expected.mean, expected.scale_index)),
        strict=True,
    ):
        steps = MEAN_STEPS if SCALES[scale_index] < 1.99 else 8
        rounded = math.floor(mean / 2**FRACTION_BITS * steps + 0.5) / steps
        integer = math.floor(rounded + 0.5)
        cumulative, first = laplace_table(scale_index, round((rounded - integer) * MEAN_STEPS))
        place = int(value) - integer - first
        escape = len(cumulative) - 2
        if not 0 <= place < escape:
            rest = -2 * place - 1 if place < 0 else 2 * (place - escape)
            bits += 4 + 4 * math.ceil(rest.bit_length() / 4)
            place = escape
        bits -= math.log2((cumulative[place + 1] - cumulative[place]) / 2**16)
    return bits


def test_the_payload_has_five_bytes_more_than_the_tables_say(coder, image) -> None:
    latent, hyper_latent = image
    expected = coder._hyper_latent_model(hyper_latent[None])
    bits = table_bits(latent, coder.latent_distribution(hyper_latent))
    bits += table_bits(hyper_latent[None], expected)
    overhead = len(encoded(coder, latent, hyper_latent)) - bits / 8
    # 31 bits of the initial state, then rounded up to a byte
    assert 31 / 8 - 0.1 < overhead < 31 / 8 + 1.1


def test_an_image_that_is_as_expected_takes_five_bytes() -> None:
    network = a_network(8, raw_scale=1000)
    coder = LatentCoder(network)
    latent, hyper_latent = latents(coder, 1, 1)
    assert len(encoded(coder, latent, hyper_latent)) == 5


def test_tables_are_what_compressai_needs_and_never_change() -> None:
    digest = hashlib.sha256()
    for scale_index in range(len(SCALES)):
        for step in range(-MEAN_STEPS // 2, MEAN_STEPS // 2):
            cumulative, first = laplace_table(scale_index, step)
            assert cumulative[0] == 0
            assert cumulative[-1] == 2**16
            assert all(low < high for low, high in pairwise(cumulative))
            assert first <= 0 <= first + len(cumulative) - 3
            # decoding relies on an escape costing more than a byte, 4 bits of which are its length
            assert cumulative[-1] - cumulative[-2] < 2**12
            digest.update(np.array([first, *cumulative], "<i4").tobytes())
    assert digest.hexdigest() == TABLES


@pytest.mark.parametrize("scale_index", [0, 20, 35, 50, 75])
@pytest.mark.parametrize("step", [-32, -5, 0, 31])
def test_tables_hold_the_distribution(scale_index, step) -> None:
    cumulative, first = laplace_table(scale_index, step)
    symbols = torch.arange(first, first + len(cumulative) - 2)
    bits = laplace_bits(
        symbols.double(),
        torch.tensor(step / MEAN_STEPS, dtype=torch.float64),
        torch.tensor(float(SCALES[scale_index]), dtype=torch.float64),
    )
    frequencies = torch.tensor(cumulative).diff()[:-1]
    assert (frequencies - 2**16 * 2**-bits).abs().max() < 2.1


def test_header_size_and_weights_must_be_the_encoders(coder, image) -> None:
    payload = encoded(coder, *image)
    for other, size, header in (
        (coder, (2, 3), b"Header"),
        (coder, (3, 2), HEADER),
        (coder, (1, 3), HEADER),
        (LatentCoder(a_network(8, raw_scale=1)), (2, 3), HEADER),
    ):
        with pytest.raises(BitstreamError, match="damaged, truncated, or was made with other"):
            other.decode(payload, size, header)


def run_elsewhere(
    program: str, *arguments: object, limit_s: float = 500, **environment: str
) -> None:
    """Runs a program in another process: one that crashes fails the test, not pytest."""
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
    subprocess.run(command, env=os.environ | environment, check=True, timeout=limit_s)


def test_another_process_decodes_the_same(coder, image, tmp_path) -> None:
    network = a_network(32)
    coder = LatentCoder(network)
    latent, hyper_latent = latents(coder, 3, 4)
    torch.save([network, latent, encoded(coder, latent, hyper_latent)], tmp_path / "image")
    program = """
import sys, torch
from benchmark.codecs.ncn.entropy_coding import LatentCoder
network, latent, payload = torch.load(sys.argv[1], weights_only=False)
for threads in (1, 2):
    torch.set_num_threads(threads)
    assert torch.equal(LatentCoder(network).decode(payload, (3, 4), b"header"), latent)
"""
    run_elsewhere(program, tmp_path / "image", ATEN_CPU_CAPABILITY="default")


HOSTILE = """
import random, sys, torch
from benchmark.codecs.ncn.bitstream import BitstreamError
from benchmark.codecs.ncn.entropy_coding import LatentCoder
network, payload = torch.load(sys.argv[1], weights_only=False)
coder, generator, size = LatentCoder(network), random.Random(0), len(payload)

def mutated(kind):
    if kind == 0:
        return payload[:generator.randrange(size)]
    if kind == 1:
        return payload + generator.randbytes(generator.randint(1, 9))
    if kind == 2:
        return generator.randbytes(generator.randrange(2000))
    if kind == 3:
        state = generator.randrange(2**31, 2**63).to_bytes(8, "little")
        return generator.choice([b"\\xff", b"\\0", b"\\xf0"]) * 4 * generator.randrange(500) + state
    changed = bytearray(payload)
    for _ in range(generator.choice([1, 1, 3, 30])):
        changed[generator.randrange(size)] ^= 1 << generator.randrange(8)
    return bytes(changed)

for number in range(int(sys.argv[2])):
    hostile = mutated(number % 6)
    try:
        coder.decode(hostile, (2, 3), b"header")
    except BitstreamError:
        continue
    assert hostile == payload, number
"""


def check_hostile(coder: LatentCoder, image: tuple[Tensor, Tensor], path, number: int) -> None:
    torch.save([a_network(8), encoded(coder, *image)], path)
    run_elsewhere(HOSTILE, path, number, limit_s=max(500, 0.5 * number))


def test_damaged_payloads_are_refused(coder, image, tmp_path) -> None:
    check_hostile(coder, image, tmp_path / "image", 300)


@pytest.mark.long
def test_many_damaged_payloads_are_refused(coder, image, tmp_path) -> None:
    check_hostile(coder, image, tmp_path / "image", 10_000)
