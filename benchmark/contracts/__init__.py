"""Put plug-ins through their contracts: all that the harness asks of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from benchmark.analysis.analysis_network import NETWORKS
from benchmark.codec import CODECS, Codec
from benchmark.contracts.outcome import Check, checked
from benchmark.datasets.dataset import DATASETS
from benchmark.errors import UsageError
from benchmark.plugins import Kind
from benchmark.runner import RUNNERS

__all__ = ["Check", "check"]

_KINDS: tuple[Kind[Any], ...] = (CODECS, RUNNERS, DATASETS, NETWORKS)


def check(asked: str | type[Codec], options: Mapping[str, str] | None = None) -> Iterator[Check]:
    """Put the plug-ins of a name through the contract of their kind.

    A name that several kinds have, such as ``miniscapes``, stands for all of them.

    Args:
        asked: ``NAME`` or ``NAME:WHERE``, or the class of a codec that no module has.
        options: of a codec.

    Returns:
        Each check as soon as its outcome is known.

    Raises:
        UsageError: if there is no plug-in of that name, or options are given to one that has none.
    """
    spec = asked if isinstance(asked, str) else CODECS.hand_over(asked)
    name, _, where = spec.partition(":")
    found = [kind for kind in _KINDS if name in kind.names()]
    if not found:
        known = "; ".join(f"{kind.noun}s: {', '.join(kind.names())}" for kind in _KINDS)
        raise UsageError(f"there is no plug-in {name!r}; {known}")
    if options and CODECS not in found:
        raise UsageError(f"{name} is no codec: it has no options")
    if where and len(found) > 1:
        found = [kind for kind in found if kind.found()[name].where] or found
    for kind in found:
        kind.split(spec)
        loaded = checked(f"the {kind.noun} {name} can be loaded", partial(_load, kind, name))
        yield loaded
        if loaded.passed:
            yield from _contract(kind, spec, options or {})


def _contract(kind: Kind[Any], spec: str, options: Mapping[str, str]) -> Iterator[Check]:
    # imported here because some contracts load torch, and a runner's needs none
    if kind is CODECS:
        from benchmark.contracts.codec_contract import check_codec

        return check_codec(spec, options)
    if kind is RUNNERS:
        from benchmark.contracts.runner_contract import check_runner

        return check_runner(spec)
    if kind is DATASETS:
        from benchmark.contracts.dataset_contract import check_dataset

        return check_dataset(spec)
    from benchmark.contracts.network_contract import check_network

    return check_network(spec)


def _load(kind: Kind[Any], name: str) -> str:
    found = kind.load(name)
    return f"{found.__module__}.{found.__qualname__}"
