"""What an NCN and its LSMnet compute."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmark.complexity import Complexity, count_kmac, count_parameters

from .lsmnet import LSMnet
from .network import NCN
from .weights_file import architecture_of, load_ncn

_SIDE = 256
"""Of the image that operations are counted on; no part of any network has to pad it."""


_known: dict[tuple[object, ...], Complexity] = {}


def complexity_of(path: Path, decoder: Path) -> Complexity:
    """Return parameters and operations of the networks in two weights files (`load_ncn`).

    The hyper latent's model counts once per position, as it would run with what it has computed
    kept, and LSMnet with its backbone counts to the encoder.

    Raises:
        UsageError: as `load_ncn`.
    """
    architecture = (*architecture_of(path), *architecture_of(decoder))
    if architecture not in _known:
        _known[architecture] = _counted(*load_ncn(path, decoder))
    return _known[architecture]


def _counted(network: NCN, lsmnet: LSMnet | None) -> Complexity:
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
