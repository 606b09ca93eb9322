"""The neural codec (NCN), alone and with latent space masking (LSMnet)."""

import warnings

# CompressAI, whenever it is imported; of no interest to anyone who runs a benchmark
warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)

from .adapters import (  # noqa: E402
    Ncn,
    NcnLsm,
    NcnLsmCoco,
    NcnLsmEfficientNet,
    NcnLsmFt,
    NcnLsmResNet50,
    NcnLsmVgg16,
)

__all__ = [
    "Ncn",
    "NcnLsm",
    "NcnLsmCoco",
    "NcnLsmEfficientNet",
    "NcnLsmFt",
    "NcnLsmResNet50",
    "NcnLsmVgg16",
]
