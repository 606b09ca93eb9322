"""Note in the manifest what the networks of a run's codecs compute."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, replace

import msgspec

from benchmark.run.jobs import CodecChoice
from benchmark.run.manifest import ComplexityEntry, Manifest

_log = logging.getLogger("benchmark")


def with_complexity(manifest: Manifest, choices: Iterable[CodecChoice]) -> Manifest:
    """Return a manifest whose last invocation says what its new rate points compute.

    A codec that fails to say it is named in the log, and has none.
    """
    *before, last = manifest.invocations
    codecs = dict(last.codecs)
    for choice in choices:
        if choice.name not in codecs:
            continue
        entry = codecs[choice.name]
        try:
            found = _complexity(choice, set(entry.rate_points) - set(entry.complexity))
        except Exception as error:  # an adapter may raise anything
            _log.warning("without the complexity of %s: %s", choice.name, error)
            continue
        codecs[choice.name] = msgspec.structs.replace(entry, complexity=entry.complexity | found)
    last = msgspec.structs.replace(last, codecs=codecs)
    return msgspec.structs.replace(manifest, invocations=[*before, last])


def _complexity(choice: CodecChoice, names: set[str]) -> dict[str, ComplexityEntry]:
    codec = choice.open()  # which is forgotten again, with the weights that it loads
    points = [point for point in choice.rate_points if point.name in names]
    found = {}
    for point in points:
        if its := codec.complexity(replace(point, scale=1.0)):
            pixels = point.scale**2  # the part that is coded of each of the image's own
            encoder, decoder = pixels * its.encoder_kmac, pixels * its.decoder_kmac
            its = replace(its, encoder_kmac=encoder, decoder_kmac=decoder)
            found[point.name] = ComplexityEntry(**asdict(its))
    return found
