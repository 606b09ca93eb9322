"""Choose the codecs of a run and their rate points."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmark.codec import CODECS, Codec, RatePoint, open_codec
from benchmark.errors import CodecUnavailable, UsageError
from benchmark.run.jobs import CodecChoice

_log = logging.getLogger("benchmark")


def choose_codecs(
    asked: Sequence[str | type[Codec]] | None,
    options: Mapping[str, Mapping[str, str]],
    rates: Sequence[str],
    scales: Sequence[float] = (1.0,),
) -> list[tuple[CodecChoice, Codec]]:
    """Return codecs with their rate points, and each codec opened.

    Args:
        asked: names of codecs, or classes; None for all that can run here, the others are named
            in the log.
        options: by the codec's name.
        rates: names of rate points, ``qp32`` or ``vtm:qp32``; none for each codec's own.
        scales: at which each of them is measured, unless it names its own (``qp32@0.5``).

    Raises:
        UsageError: if options or rates name a codec that is not chosen, or are not the codec's.
        CodecUnavailable: if a codec that was asked for cannot run here; all are named.
    """
    names = [its if isinstance(its, str) else CODECS.hand_over(its) for its in asked or ()]
    for name in options:
        if name not in (names or CODECS.names()):
            raise UsageError(f"--option names the codec {name!r}, which is not in this run")
    opened, unavailable, left_out = [], [], []
    for name in dict.fromkeys(names or CODECS.found()):
        its_options = options.get(name, {})
        try:
            codec = open_codec(name, its_options)
        except CodecUnavailable as error:
            if names:
                unavailable.append(f"codec {name} cannot run here: {error}")
            else:
                left_out.append(name)
            continue
        opened.append((codec, tuple(its_options.items())))
    if unavailable:
        raise CodecUnavailable("\n- ".join(unavailable))
    if left_out:
        _log.info("without %s: `python -m benchmark codecs` says why", ", ".join(left_out))
    points = _rate_points([codec for codec, _ in opened], rates, scales)
    return [
        (CodecChoice(codec.name, given, points[codec.name], CODECS.handed_over(codec.name)), codec)
        for codec, given in opened
    ]


def _rate_points(
    codecs: Sequence[Codec], rates: Sequence[str], scales: Sequence[float]
) -> dict[str, tuple[RatePoint, ...]]:
    """Give each codec the rates that name it, else those that name no codec, else its own."""
    own: dict[str, list[str]] = {}
    common = []
    for rate in rates:
        name, colon, point = rate.rpartition(":")
        if not colon:
            common.append(point)
        elif name in {codec.name for codec in codecs}:
            own.setdefault(name, []).append(point)
        else:
            raise UsageError(f"--rates {rate} names the codec {name!r}, which is not in this run")
    chosen = {}
    for codec in codecs:
        asked = own.get(codec.name, common)
        points = list(map(codec.rate_point, asked)) or codec.rate_points
        scaled = (
            replace(point, scale=scale) if point.scale == 1 else point
            for scale in scales
            for point in points
        )
        chosen[codec.name] = tuple(dict.fromkeys(scaled))
    return chosen
