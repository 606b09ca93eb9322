"""What an NCN and its LSMnet compute."""

from __future__ import annotations

import torch

from benchmark.complexity import Complexity, count_kmac, count_parameters

from .lsmnet import LSMnet
from .network import NCN

_SIDE = 256
"""Of the image that operations are counted on; no part of any network has to pad it."""


def complexity_of(network: NCN, lsmnet: LSMnet | None) -> Complexity:
    """Return parameters and operations of a network; it is of no other use afterwards.

    The hyper latent's model counts once per position, as it would run with what it has computed
    kept, and LSMnet with its backbone counts to the encoder.
    """
    shared = [network.hyper_decoder, network.hyper_latent_model]
    masking = [lsmnet] if lsmnet else []
    for part in (network, *masking):
        part.to("meta")
    images = torch.empty(1, 3, _SIDE, _SIDE, device="meta")
    latent = network.analysis(images)
    hyper_latent = network.hyper_encoder(latent)

    def expect() -> None:
        network.latent_distribution(hyper_latent)
        network.hyper_latent_model(hyper_latent)

    def encode() -> None:
        network.hyper_encoder(network.analysis(images))
        expect()
        for part in masking:
            part(images)

    def decode() -> None:
        expect()
        network.synthesis(latent)

    return Complexity(
        count_parameters([network.analysis, network.hyper_encoder, *shared, *masking]),
        count_parameters([*shared, network.synthesis]),
        count_kmac(encode, _SIDE**2),
        count_kmac(decode, _SIDE**2),
    )
