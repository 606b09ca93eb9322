"""CenteredAdam moves a kernel only where what one output sees keeps its sum."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmark.codecs.ncn.centered_adam import CenteredAdam

LAYERS = [
    nn.Conv2d(4, 6, 5, stride=2, padding=2, padding_mode="replicate"),
    nn.ConvTranspose2d(4, 6, 5, stride=2, padding=2, output_padding=1),
]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_constant_input_gives_the_same_output_until_the_bias_moves(layer: nn.Module) -> None:
    def constant() -> Tensor:
        return layer(torch.full((1, 4, 12, 12), 3.0))[..., 4:-4, 4:-4].detach() - bias()

    def bias() -> Tensor:
        return layer.bias.detach()[:, None, None]

    torch.manual_seed(0)
    first, kernel, offset = constant(), layer.weight.detach().clone(), bias().clone()
    optimizer = CenteredAdam([*layer.parameters(), unseen := nn.Parameter(torch.zeros(3))], [layer])
    optimizer.param_groups[0]["lr"] = 0.01
    for _ in range(3):
        optimizer.zero_grad()
        out = layer(3 + torch.randn(1, 4, 12, 12))
        (out.square().sum() + unseen.sum()).backward()
        optimizer.step()
    assert torch.allclose(constant(), first, atol=1e-4)
    assert (layer.weight - kernel).abs().max() > 1e-4
    assert (bias() - offset).abs().max() > 0.005
    assert torch.allclose(unseen, torch.full((3,), -0.03))


def test_steps_go_downhill_where_gradients_are_unequally_noisy() -> None:
    layer = nn.Conv2d(2, 1, 1)
    before = layer.weight.detach().flatten().clone()
    optimizer = CenteredAdam([layer.weight], [layer])
    for number in range(200):
        # the second is steeper, and so noisy that Adam alone would move it less than the first
        gradient = torch.tensor([1.0, 2.0 + 10 * (-1) ** number])
        layer.weight.grad = gradient.reshape(1, 2, 1, 1)
        optimizer.step()
    first, second = layer.weight.detach().flatten() - before
    assert float(second) < 0
    assert float(first) == pytest.approx(-float(second), rel=1e-3)
