"""The signature of a measurement: one line that says what a number rests on, for a paper."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from benchmark.datasets.dataset import Picture
from benchmark.evaluation.curves import HULL
from benchmark.evaluation.opened_run import OpenedRun
from benchmark.metrics.bjontegaard_delta import METHODS
from benchmark.metrics.bootstrap import RESAMPLES
from benchmark.metrics.ground_truth import AP_NAMES
from benchmark.rate_point import scale_in


def signature(run: OpenedRun, pictures: Sequence[Picture], ap: str | None, resampled: str) -> str:
    """Return the line.

    Two measurements with the same signature are of the same images, annotations, analysis network
    (weights and thresholds), codecs (bits and options) and rate points, evaluated in the same way.
    A digest (8 hexadecimal digits) stands for each.

    Args:
        run: the run.
        pictures: the images that are evaluated.
        ap: how the average precision of masks is computed; None without an analysis network.
        resampled: what intervals are over (`benchmark.evaluation.clusters.RESAMPLED`).
    """
    manifest = run.manifest
    images = manifest.images
    known = {its.name: images[its.name] for its in pictures if its.name in images}
    hashes = {name: [its.pixels, its.annotations] for name, its in known.items()}
    codecs = {
        name: [codec.identity, codec.options, sorted(codec.rate_points), codec.identity_at]
        for name, codec in manifest.codecs.items()
    }
    versions = manifest.invocations[-1].versions
    parts = [
        f"benchmark:{versions.get('benchmark', '?')}",
        f"data:{manifest.dataset.spec}",
        f"images:{len(pictures)}#{_digest(hashes)}",
        f"network:{manifest.analysis.spec or 'none'}#{_digest(manifest.analysis.identity)}",
        f"codecs:{len(codecs)}#{_digest(codecs)}",
    ]
    by_codec = [set(map(scale_in, codec.rate_points)) for codec in manifest.codecs.values()]
    if (scales := set[float]().union(*by_codec)) - {1.0}:
        listed = ",".join(f"{scale:g}" for scale in sorted(scales, reverse=True))
        hulls = f" ({HULL})" if any(len(its) > 1 for its in by_codec) else ""
        parts.append(f"scales:{listed}{hulls}")
    if ap:
        parts += [f"ap:{AP_NAMES[ap]}", f"delta:{METHODS[0]}"]
        parts += [f"intervals:{RESAMPLES} resamples by {resampled}, seed 0"]
    return " | ".join(parts)


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
