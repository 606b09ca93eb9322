"""The neural codec (NCN), alone and with latent space masking (LSMnet)."""

from .adapters import Ncn, NcnLsm, NcnLsmEfficientNet, NcnLsmFt

__all__ = ["Ncn", "NcnLsm", "NcnLsmEfficientNet", "NcnLsmFt"]
