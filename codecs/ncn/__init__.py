"""The neural codec (NCN), alone and with latent space masking (LSMnet)."""
