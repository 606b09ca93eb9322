"""The published checkpoints."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.errors import UsageError

from .lsmnet import Detectron2ResNet50, LSMnet
from .network import NCN

_UNIT = "LSUnits.0."
_PRIOR = _UNIT + "priorNetwork."
_NCN_NAMES = {
    "encoder.0": "analysis.0",
    "encoder.1": "analysis.2",
    "encoder.2": "analysis.4",
    _UNIT + "convEnc": "analysis.6",
    _UNIT + "LSGen": "analysis.8",
    _PRIOR + "encoder_first": "hyper_encoder.0",
    _PRIOR + "encoder_GDN.0": "hyper_encoder.1",
    _PRIOR + "encoder.0": "hyper_encoder.2",
    _PRIOR + "autoregressive.conv1": "hyper_latent_model.hidden",
    _PRIOR + "autoregressive.conv2": "hyper_latent_model.mean",
    _PRIOR + "autoregressive.conv3": "hyper_latent_model.raw_scale",
    _PRIOR + "decoder.0": "hyper_decoder.0",
    _PRIOR + "decoder_GDN.0": "hyper_decoder.1",
    _PRIOR + "decoder.1": "hyper_decoder.2",
    _PRIOR + "decoder_GDN.1": "hyper_decoder.3",
    _PRIOR + "decoder_final": "hyper_decoder.4",
    _UNIT + "deconvDec": "synthesis.0",
    "decoder.0": "synthesis.2",
    "decoder.1": "synthesis.4",
    "decoder.2": "synthesis.6",
}
"""Published names of the NCN's layers, and ours."""

_LSMNET_NAMES = {
    _UNIT + "resNetToMask.0": "to_alpha",
    **{f"parallelBranch.{n}": f"backbone.stages.{n}" for n in range(4)},
}

_CONTEXT_BEHIND = ("LSGen", "encoder_first", "decoder_final")
_CONTEXT_AHEAD = ("deconvDec",)
"""Layers that the published networks give a second input, behind or ahead of the first."""


def load_published(path: Path) -> tuple[NCN, LSMnet | None]:
    """A published checkpoint (``*.pth.tar``), in evaluation mode.

    Returns:
        The network, and its LSMnet with its backbone where the checkpoint holds one.

    Raises:
        UsageError: if the file is missing or holds anything else; keys that are missing, too
            many or of a wrong shape are named.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: it should be a published NCN checkpoint")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[:1]
        raise UsageError(f"{path} is no checkpoint that can be read: {reason}") from error
    try:
        return from_published(stored)
    except UsageError as error:
        raise UsageError(f"{path} is not a published NCN checkpoint: {error}") from error


def from_published(stored: Mapping[str, Tensor]) -> tuple[NCN, LSMnet | None]:
    """The same as `load_published`, of the state dict that such a file holds."""
    channels = _channels(stored)
    network = NCN(channels)
    expected = _published(network, _NCN_NAMES)
    lsmnet = None
    if any(name.startswith(tuple(_LSMNET_NAMES)) for name in stored):
        lsmnet = LSMnet(Detectron2ResNet50(), channels)
        expected |= _published(lsmnet, _LSMNET_NAMES)
    _check(stored, expected)
    for name, target in expected.items():
        if name.endswith(".mask"):
            if not torch.equal(stored[name].bool(), target.bool()):
                raise UsageError(f"{name} masks other weights than type A does")
        else:
            target.copy_(_own_inputs(name, stored[name], target))
    network.eval()
    return network, lsmnet.eval() if lsmnet else None


def _channels(stored: Mapping[str, Tensor]) -> int:
    name = _UNIT + "LSGen.bias"
    if not isinstance(stored, Mapping) or not isinstance(stored.get(name), Tensor):
        raise UsageError(f"it is no state dict with the key {name}")
    channels = stored[name].numel()
    if channels < 2 or channels % 2:
        raise UsageError(f"{name} has {channels} elements: an even number is needed")
    return channels


def _published(module: nn.Module, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Under each published name, the tensor of ``module`` that it goes to.

    A ``.mask`` is True where a weight does not count.
    """
    found: dict[str, Tensor] = {}
    for published, own in names.items():
        layer = module.get_submodule(own)
        values = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
        for name, value in values.items():
            if name == "causal":
                shape = layer.get_parameter("weight").shape
                found[f"{published}.mask"] = (value == 0).expand(shape)
            elif not name.startswith(("beta_reparam", "gamma_reparam")):
                found[f"{published}.{name}"] = value.detach()
    return found


def _check(stored: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Names all that is wrong with a state dict in one error."""
    wrong = [
        f"{name} of shape {_shape(stored[name])} instead of {_with_context(name, target)}"
        for name, target in expected.items()
        if name in stored and _shape(stored[name]) != _with_context(name, target)
    ]
    groups = {
        "missing": [name for name in expected if name not in stored],
        "unknown": [str(name) for name in stored if name not in expected],
        "wrong": wrong,
    }
    problems = [f"{what}: {_some(names)}" for what, names in groups.items() if names]
    if problems:
        raise UsageError("; ".join(problems))


def _some(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _shape(value: object) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _input_dimension(name: str) -> int:
    return 0 if name.split(".")[-2] in _CONTEXT_AHEAD else 1


def _has_context(name: str) -> bool:
    layer, _, kind = name.rpartition(".")
    return kind == "weight" and layer.endswith(_CONTEXT_BEHIND + _CONTEXT_AHEAD)


def _with_context(name: str, target: Tensor) -> tuple[int, ...]:
    """The shape of a published tensor: that of ours, with the context's channels."""
    shape = list(target.shape)
    if _has_context(name):
        # the context has as many channels as y: half of what the last layer works on
        context = shape[1] // 2 if name.endswith("decoder_final.weight") else shape[1]
        shape[_input_dimension(name)] += context
    return tuple(shape)


def _own_inputs(name: str, value: Tensor, target: Tensor) -> Tensor:
    """Leaves out the weights of the context, which is all zeros."""
    if not _has_context(name):
        return value
    dimension = _input_dimension(name)
    own = target.shape[dimension]
    ahead = name.split(".")[-2] in _CONTEXT_AHEAD
    return value.narrow(dimension, value.shape[dimension] - own if ahead else 0, own)
