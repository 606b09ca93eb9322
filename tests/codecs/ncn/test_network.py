"""The network against the authors' reference code, and what it promises by itself.

The expected numbers were computed with the authors' code (github.com/FAU-LMS/NCN_for_M2M, commit
980a86960721) on the weights and pictures of `conftest.py`, in float32 on a CPU, with its ordinary
log-sigmoid (``setApprox(False)``: the other one, for test time, is a table that is off by up to
0.0003) and torchvision's ResNet-50, its strides moved, in the place of Detectron2's. A picture
whose sides are no multiple of 64 was padded before and cropped after.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch.nn import functional

from benchmark.codecs.ncn.layers import CausalConvolution, laplace_bits, pad
from benchmark.codecs.ncn.lsmnet import LSMnet
from benchmark.codecs.ncn.network import NCN, HyperLatentModel, mask
from benchmark.codecs.ncn.published import from_published


@dataclass(frozen=True)
class Expected:
    """What the reference code made of a picture; ``middle`` is the pixel at (H/2, W/3)."""

    height: int
    width: int
    latent_bits: float
    hyper_latent_bits: float
    mean: float
    deviation: float
    middle: tuple[float, float, float]


PLAIN = [
    Expected(64, 64, 15487.926, 714.7092, 0.010025, 0.157257, (-0.256924, 0.064842, -0.120107)),
    Expected(128, 192, 267888.64, 4294.8721, 0.006638, 0.186820, (-0.103327, 0.107649, -0.175314)),
    Expected(100, 150, 255388.66, 4061.1658, 0.006191, 0.196829, (0.302539, -0.109208, -0.126183)),
]
MASKED = [
    Expected(64, 64, 8643.257, 714.7092, 0.014528, 0.103303, (-0.094978, -0.046669, -0.030272)),
    Expected(128, 192, 187177.19, 4294.8721, -0.012154, 0.302296, (-0.263772, 0.656108, -0.380132)),
    Expected(100, 150, 175923.95, 4061.1658, -0.020362, 0.339192, (0.061250, 0.026630, 0.924454)),
]
NARROW = [
    Expected(64, 64, 3294.232, 102.8118, 0.034398, 0.234050, (0.020091, -0.735983, 0.034017)),
]


@pytest.fixture(scope="module")
def networks(published):
    network, lsmnet = from_published(published(192, lsmnet=True))
    assert lsmnet is not None
    return network, lsmnet


@pytest.mark.parametrize("expected", PLAIN, ids=lambda e: f"{e.height}x{e.width}")
def test_rate_and_image_are_those_of_the_reference_code(networks, picture_of, expected) -> None:
    network, _ = networks
    with torch.no_grad():
        check(network(picture_of(expected.height, expected.width)), expected)


@pytest.mark.parametrize("expected", MASKED, ids=lambda e: f"{e.height}x{e.width}")
def test_masked_rate_and_image_are_those_of_the_reference_code(
    networks, picture_of, expected
) -> None:
    network, lsmnet = networks
    images = picture_of(expected.height, expected.width)
    with torch.no_grad():
        check(network(images, lsmnet(images)), expected)


@pytest.mark.parametrize("expected", NARROW, ids=lambda e: f"{e.height}x{e.width}")
def test_fewer_channels_are_those_of_the_reference_code_too(
    published, picture_of, expected
) -> None:
    network, lsmnet = from_published(published(32))
    assert lsmnet is None
    with torch.no_grad():
        check(network(picture_of(expected.height, expected.width)), expected)


def check(coded, expected: Expected) -> None:
    assert coded.images.shape == (1, 3, expected.height, expected.width)
    assert coded.latent_bits.double().sum().item() == pytest.approx(expected.latent_bits, rel=1e-4)
    hyper_bits = coded.hyper_latent_bits.double().sum().item()
    assert hyper_bits == pytest.approx(expected.hyper_latent_bits, rel=1e-4)
    assert coded.images.double().mean().item() == pytest.approx(expected.mean, abs=1e-4)
    assert coded.images.double().std().item() == pytest.approx(expected.deviation, abs=1e-4)
    middle = coded.images[0, :, expected.height // 2, expected.width // 3].tolist()
    assert middle == pytest.approx(expected.middle, abs=1e-4)


def test_the_paper_s_network_has_18_9_million_parameters_with_the_unused_inputs() -> None:
    ours = sum(p.numel() for p in NCN(192).parameters())
    unused = 25 * 192 * (3 * 192 + 2 * 192)
    assert ours + unused == 18_934_659


def test_sizes_are_kept_and_latents_are_integers_at_sizes_that_fit_no_stride(picture_of) -> None:
    network = NCN(8).eval()
    with torch.no_grad():
        coded = network(picture_of(66, 130))
    assert coded.images.shape == (1, 3, 66, 130)
    assert coded.latent.shape == coded.latent_bits.shape == (1, 8, 8, 12)
    assert coded.hyper_latent.shape == coded.hyper_latent_bits.shape == (1, 4, 2, 3)
    assert torch.equal(coded.latent, coded.latent.round())
    assert torch.equal(coded.hyper_latent, coded.hyper_latent.round())
    total = coded.latent_bits.sum() + coded.hyper_latent_bits.sum()
    assert coded.bits_per_pixel.item() == pytest.approx(total.item() / (66 * 130))


def test_padding_repeats_the_outermost_pixels(picture_of) -> None:
    images = picture_of(63, 65)
    padded = pad(images)
    assert padded.shape == (1, 3, 64, 128)
    assert torch.equal(padded[..., :63, :65], images)
    assert torch.equal(padded[..., 63, :65], images[..., 62, :])
    assert torch.equal(padded[..., :63, 127], images[..., 64])
    assert torch.equal(pad(padded), padded)


def test_training_adds_noise_of_half_a_step_and_reaches_every_parameter(picture_of) -> None:
    torch.manual_seed(0)
    network = NCN(8)
    with torch.no_grad():
        exact = network.analysis(picture_of(64, 64))
    coded = network(picture_of(64, 64))
    noise = (coded.latent - exact).detach()
    assert noise.abs().max() <= 0.5
    assert noise.std().item() == pytest.approx(12**-0.5, rel=0.15)
    (coded.images.square().mean() + coded.bits_per_pixel).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name


def test_alpha_0_keeps_the_latent_and_alpha_1_gives_the_mean(picture_of) -> None:
    latent, mean = torch.randn(2, 1, 4, 3, 3)
    assert torch.equal(mask(latent, mean, torch.zeros_like(latent)), latent)
    assert torch.allclose(mask(latent, mean, torch.ones_like(latent)), mean, atol=1e-6)


def test_masking_everything_codes_the_mean(picture_of) -> None:
    network = NCN(8).eval()
    images = picture_of(64, 64)
    with torch.no_grad():
        plain = network(images)
        masked = network(images, torch.ones_like(plain.latent))
        mean = network.latent_distribution(plain.hyper_latent).mean
    assert torch.equal(masked.hyper_latent, plain.hyper_latent)
    assert (masked.latent - mean).abs().max() <= 0.5 + 1e-5


def test_a_causal_convolution_sees_the_row_above_and_the_left() -> None:
    layer = CausalConvolution(1, 1)
    image = torch.zeros(1, 1, 5, 5, requires_grad=True)
    layer(image)[0, 0, 2, 2].backward()
    assert image.grad is not None
    seen = {tuple(position) for position in image.grad[0, 0].nonzero().tolist()}
    assert seen == {(1, 1), (1, 2), (1, 3), (2, 1)}


def test_a_hyper_latent_is_predicted_from_earlier_ones_only() -> None:
    torch.manual_seed(0)
    model = HyperLatentModel(2)
    hyper_latent = torch.randn(1, 2, 6, 7, requires_grad=True)
    expected = model(hyper_latent)
    (expected.mean + expected.scale)[0, :, 3, 3].sum().backward()
    assert hyper_latent.grad is not None
    seen = {tuple(position) for position in hyper_latent.grad[0].sum(0).nonzero().tolist()}
    left, above, two_above = {(3, 1)}, {(2, n) for n in (1, 2, 3)}, {(1, n) for n in range(1, 6)}
    assert seen == left | above | two_above


def test_bits_are_those_of_the_laplace_mass_of_a_step() -> None:
    values = torch.tensor([0.0, 3.0, -7.0, 1e6])
    mean = torch.tensor([0.2, 1.0, -6.5, 0.0])
    scale = torch.tensor([1.0, 0.5, 2.0, 1.0])
    steps = torch.linspace(-0.5, 0.5, 100_001, dtype=torch.float64)[:, None] + values.double()
    density = torch.exp(-(steps - mean).abs() / scale) / (2 * scale)
    mass = torch.trapezoid(density, dx=1e-5, dim=0)
    expected = -torch.log2(mass + 1e-10)
    assert torch.allclose(laplace_bits(values, mean, scale).double(), expected, rtol=1e-4)


class Stride16(torch.nn.Module):
    """A backbone of another kind: the picture, made small."""

    channels = 3

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(functional.avg_pool2d(images, 16))


def test_an_untrained_lsmnet_hardly_masks(picture_of) -> None:
    alpha = LSMnet(Stride16(), 8).train()(picture_of(70, 64))
    assert float(alpha.detach().max()) < 0.05


def test_only_the_1x1_convolution_of_an_lsmnet_is_trained(picture_of) -> None:
    lsmnet = LSMnet(Stride16(), 8).train()
    alpha = lsmnet(picture_of(70, 64))
    assert alpha.shape == (1, 8, 8, 4)
    assert ((alpha > 0) & (alpha < 1)).all()
    alpha.sum().backward()
    assert lsmnet.to_alpha.weight.grad.abs().max() > 0
    trained = {name for name, value in lsmnet.named_parameters() if value.grad is not None}
    assert trained == {"to_alpha.weight", "to_alpha.bias"}
    assert lsmnet.training and not lsmnet.backbone.training
