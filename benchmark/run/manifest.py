"""The manifest of a run folder, ``run.json``: what was asked for, when, with what, on what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmark.errors import UsageError
from benchmark.system.records import Entry, read_entry, write_entry

FORMAT = 2
"""The format of the run folders that this version writes.

1 (which had no number) kept the last invocation only, and no images' numbers.
"""


class ImageEntry(Entry, frozen=True, kw_only=True):
    """An image of the data set: what results depend on.

    Attributes:
        pixels, annotations: SHA-256 (`benchmark.datasets.dataset.fingerprint`).
        id: its number in the detections files of this folder; None in format 1, whose records
            say it.
    """

    pixels: str
    annotations: str
    id: int | None = None


class ComplexityEntry(Entry, frozen=True, kw_only=True):
    """What a codec's networks compute (`benchmark.complexity.Complexity`)."""

    encoder_parameters: int
    decoder_parameters: int
    encoder_kmac: float
    decoder_kmac: float


class CodecEntry(Entry, frozen=True, kw_only=True):
    """A codec as it was used.

    Attributes:
        options: by name.
        identity: all that changes its bits at every rate point.
        rate_points: their names.
        identity_at: what changes its bits at one of them alone, by their names; nothing for most.
        complexity: what its networks compute, by their names; nothing for a classical codec.
    """

    options: dict[str, str] = msgspec.field(default_factory=dict)
    identity: dict[str, str] = msgspec.field(default_factory=dict)
    rate_points: list[str] = msgspec.field(default_factory=list)
    identity_at: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    complexity: dict[str, ComplexityEntry] = msgspec.field(default_factory=dict)


class Invocation(Entry, frozen=True, kw_only=True):
    """One command that worked on the folder, and what it brought that was not there before.

    Attributes:
        command: as it can be typed again.
        started: UTC, ISO 8601.
        versions: of the packages, by name.
        machine: processor, cores, operating system.
        device: where the analysis network computed; None where that is not known.
        codecs: new codecs, and new rate points of known ones, by the codec's name.
        images: new images by name.
    """

    command: str = ""
    started: str = ""
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    machine: dict[str, str] = msgspec.field(default_factory=dict)
    device: str | None = None
    codecs: dict[str, CodecEntry] = msgspec.field(default_factory=dict)
    images: dict[str, ImageEntry] = msgspec.field(default_factory=dict)


class DatasetEntry(Entry, frozen=True, kw_only=True):
    """The data set, by what it was asked for with."""

    spec: str


class AnalysisEntry(Entry, frozen=True, kw_only=True):
    """The analysis network; without one all is empty.

    Attributes:
        spec: what it was asked for with.
        identity: all that changes its detections.
        categories: the ids of the detections by the classes' names, where they are the network's
            own because the data set has no classes.
    """

    spec: str | None = None
    identity: dict[str, str] = msgspec.field(default_factory=dict)
    categories: dict[str, int] = msgspec.field(default_factory=dict)


class Manifest(Entry, frozen=True, kw_only=True):
    """What a run folder says of itself.

    Attributes:
        format: `FORMAT`.
        dataset, analysis: the same for all invocations.
        ap: whose average precision the tables hold, a key of
            `benchmark.metrics.ground_truth.AP_NAMES`; None without a network.
        invocations: in the order in which they came; a record holds the number of its own.
    """

    format: int = FORMAT
    dataset: DatasetEntry
    analysis: AnalysisEntry
    ap: str | None = None
    invocations: list[Invocation]

    @property
    def codecs(self) -> dict[str, CodecEntry]:
        """All codecs with all their rate points; options and identity as they were last."""
        found: dict[str, CodecEntry] = {}
        for invocation in self.invocations:
            for name, codec in invocation.codecs.items():
                before = found.get(name, CodecEntry())
                points = list(dict.fromkeys([*before.rate_points, *codec.rate_points]))
                found[name] = msgspec.structs.replace(
                    codec,
                    rate_points=points,
                    identity_at=before.identity_at | codec.identity_at,
                    complexity=before.complexity | codec.complexity,
                )
        return found

    @property
    def images(self) -> dict[str, ImageEntry]:
        """All images by name."""
        return {
            name: image
            for invocation in self.invocations
            for name, image in invocation.images.items()
        }

    @property
    def device(self) -> str | None:
        """The device of the analysis network; None where no invocation says it."""
        return next((made.device for made in self.invocations if made.device), None)

    def commands(self, numbers: Sequence[int]) -> list[str]:
        """Return the commands of some invocations, each once, in their order."""
        known = [self.invocations[n] for n in sorted(set(numbers)) if n < len(self.invocations)]
        return list(dict.fromkeys(invocation.command for invocation in known))


def parse_manifest(content: bytes | str, file: Path) -> Manifest:
    """Return the manifest that a file holds, also one in an older format.

    Raises:
        UsageError: if it is none, or one of a newer format.
    """
    try:
        values = json.loads(content)
        if not isinstance(values, dict):
            raise UsageError(f"{file} is not a run's manifest: it holds no object")
        number = values.get("format", 1)
        if not isinstance(number, int) or number > FORMAT:
            raise UsageError(
                f"{file} has the format {number}, this version knows formats up to {FORMAT}: "
                "install a newer version of this package (nothing was changed)"
            )
        return read_entry(Manifest, values if number > 1 else _from_format_1(values))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # msgspec's and json's errors are ValueErrors; the others are of a format without types
        raise UsageError(f"{file} is not a run's manifest ({error})") from error


def manifest_text(manifest: Manifest) -> str:
    """Return the content of ``run.json``."""
    return json.dumps(write_entry(manifest), indent=1) + "\n"


def _from_format_1(values: Mapping[str, Any]) -> dict[str, Any]:
    """One invocation, which was the last one, stands for all that the folder holds."""
    dataset, analysis = dict(values["dataset"]), values["analysis"]
    once = ("command", "started", "versions", "machine", "codecs")
    invocation = {name: values[name] for name in once if name in values}
    invocation["images"] = dataset.pop("images")
    return {
        **{name: value for name, value in values.items() if name not in once},
        "format": FORMAT,
        "dataset": dataset,
        "ap": values.get("ap", "coco" if analysis["spec"] else None),
        "invocations": [invocation],
    }
