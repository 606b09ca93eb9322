"""Change the learning rate from step to step, and average the weights over the steps."""

from __future__ import annotations

import math

import torch
from torch import nn


def learning_rate(highest: float, iteration: int, iterations: int, warm_up: int) -> float:
    """Return the learning rate of a step: a linear rise over ``warm_up`` steps, times
    half a cosine.
    """
    rise = min(1.0, (iteration + 1) / warm_up)
    return highest * rise * (1 + math.cos(math.pi * iteration / iterations)) / 2


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, iteration: int, decay: float) -> None:
    """Move a moving average of a network's weights towards the network, quickly at first."""
    decay = min(decay, (1 + iteration) / (10 + iteration))
    current = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], 1 - decay)
        else:
            value.copy_(current[name])
