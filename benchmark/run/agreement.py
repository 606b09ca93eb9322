"""Whether a run folder can go on: all that made its results has to be the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmark.errors import UsageError
from benchmark.run.manifest import CodecEntry, ImageEntry, Invocation, Manifest

Prove = Callable[[str], str]
"""Codes an image again with the codec of a name; why the bits differ, or nothing."""

_FORMER_SOURCE = "source"
"""The hash of one module in the identities of format 1: another measure than today's ``code``."""


def check_agreement(
    before: Manifest, now: Manifest, folder: Path, prove: Prove, other: Path | None = None
) -> None:
    """Raise a `UsageError` if a folder was made with something else than what is asked for now.

    What a folder of an older format does not say (the device, a codec's source) is not compared;
    of a codec's source, an image that is coded again takes the place.

    Args:
        before: what the folder holds.
        now: what is asked for, as its only invocation.
        folder: for the messages.
        prove: for codecs whose identity does not say all.
        other: a folder that holds what ``now`` says, where that is merged with the first one.
    """
    now_is = f"{other} with" if other else "now it is"
    advice = "only runs that agree can be merged" if other else "choose another --out"

    def check_same(what: str, now: Any, before: Any, advice: str = advice) -> None:
        if now != before:
            raise UsageError(
                f"{folder} was made with {what} {_only(before, now)}, {now_is} "
                f"{_only(now, before)}: {advice}"
            )

    check_same("the data set", now.dataset.spec, before.dataset.spec)
    known = before.images
    for name, image in now.images.items():
        if name in known:
            check_same(f"another image {name}:", _hashes(image), _hashes(known[name]))
    check_same("the analysis network", _network(now), _network(before))
    if now.device and before.device:
        check_same(
            "the analysis network on the device", now.device, before.device,
            advice if other else "choose it with --device, or another --out",
        )  # fmt: skip
    for name, codec in now.codecs.items():
        if name in before.codecs:
            old = before.codecs[name]
            difference = differs(codec, old, now_is) or (prove(name) if lacks_code(old) else "")
            if difference:
                raise UsageError(
                    f"{folder} was made with another codec {name}: {difference}: {advice}"
                )


def differs(now: CodecEntry, before: CodecEntry, now_is: str = "now it is") -> str:
    """Return what differs between two identities of a codec; empty where nothing does.

    What belongs to one rate point is compared where both have that.
    """
    ours: dict[str, Any] = {**now.identity}
    theirs: dict[str, Any] = {**before.identity}
    if lacks_code(before):
        theirs.pop(_FORMER_SOURCE, None)
        ours = {key: ours[key] for key in ours if key in theirs}
        theirs = {key: theirs[key] for key in theirs if key in ours}
    else:
        both = set(now.rate_points) & set(before.rate_points)
        ours |= {name: its for name, its in now.identity_at.items() if name in both}
        theirs |= {name: its for name, its in before.identity_at.items() if name in both}
    return "" if ours == theirs else f"{_only(theirs, ours)}, {now_is} {_only(ours, theirs)}"


def lacks_code(codec: CodecEntry) -> bool:
    """Return whether an identity is one of format 1, which did not hold the adapter's source."""
    return bool(codec.identity) and "code" not in codec.identity


def brought(before: Manifest | None, now: Manifest) -> Invocation:
    """Return the invocation of ``now`` with only what the folder did not hold before."""
    (invocation,) = now.invocations
    if before is None:
        return invocation
    codecs = {}
    for name, codec in invocation.codecs.items():
        known = before.codecs.get(name)
        points = [] if known is None else known.rate_points
        new = [point for point in codec.rate_points if point not in points]
        changed = known is None or (known.identity, known.options) != (
            codec.identity, codec.options,
        )  # fmt: skip
        if new or changed:
            its = {point: codec.identity_at[point] for point in new if point in codec.identity_at}
            codecs[name] = msgspec.structs.replace(codec, rate_points=new, identity_at=its)
    images = {
        name: image for name, image in invocation.images.items() if before.images.get(name) != image
    }
    return msgspec.structs.replace(invocation, codecs=codecs, images=images)


def _hashes(image: ImageEntry) -> dict[str, str]:
    return {"pixels": image.pixels, "annotations": image.annotations}


def _network(manifest: Manifest) -> dict[str, str | None]:
    return {"spec": manifest.analysis.spec, **manifest.analysis.identity}


def _only(value: Any, other: Any) -> str:
    """A value as text; of mappings only the entries that differ."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        value = {key: entry for key, entry in value.items() if entry != other.get(key)}
    return str(value)
