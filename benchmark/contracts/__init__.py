"""Put plug-ins through their contracts: all that the harness asks of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmark.analysis.analysis_network import NETWORKS
from benchmark.codec import CODECS, Codec
from benchmark.contracts.outcome import Check, checked
from benchmark.datasets.dataset import DATASETS
from benchmark.errors import UsageError
from benchmark.runner import RUNNERS

__all__ = ["Check", "check"]

_KINDS = (CODECS, RUNNERS, DATASETS, NETWORKS)


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
    # Imported here because a runner's contract needs nothing of a codec's, which loads torch.
    for kind in found:
        checked_spec = spec if len(found) == 1 or kind.found()[name].where or not where else name
        loaded = checked(f"{kind.noun} {name} can be loaded", lambda kind=kind: _load(kind, name))
        yield loaded
        if not loaded.passed:
            continue
        kind.split(checked_spec)
        if kind is CODECS:
            from benchmark.contracts.codec_contract import check_codec

            yield from check_codec(name, options or {})
        elif kind is RUNNERS:
            from benchmark.contracts.runner_contract import check_runner

            yield from check_runner(checked_spec)
        elif kind is DATASETS:
            from benchmark.contracts.dataset_contract import check_dataset

            yield from check_dataset(checked_spec)
        else:
            from benchmark.contracts.network_contract import check_network

            yield from check_network(checked_spec)


def _load(kind: object, name: str) -> str:
    found = kind.load(name)  # type: ignore[attr-defined]
    return f"{found.__module__}.{found.__qualname__}"
