"""The neural codec (NCN), alone and with latent space masking (LSMnet)."""

import warnings

# CompressAI, whenever it is imported; of no interest to anyone who runs a benchmark
warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)

from .adapters import Ncn, NcnLsm, NcnLsmEfficientNet, NcnLsmFt  # noqa: E402

__all__ = ["Ncn", "NcnLsm", "NcnLsmEfficientNet", "NcnLsmFt"]
