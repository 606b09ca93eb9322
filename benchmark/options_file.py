"""Read the options of a run from a TOML file, and write those that a run was asked for with."""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError

_OPTION = "--config"
_NAMES = (
    "preset", "codecs", "option", "checkpoints", "rates", "scales", "dataset", "limit", "analysis",
    "ap", "truth", "device", "anchor", "bitstreams", "jobs", "job-limit", "runner", "out",
)  # fmt: skip
"""The options that such a file may hold, without their dashes: all of ``run``."""


def with_options_of_files(arguments: Sequence[str]) -> list[str]:
    """Return command-line arguments with the options of ``--config FILE`` in place of it.

    They come first, so that whatever is typed overrides them.

    Raises:
        UsageError: if the file cannot be read, is no TOML, or holds what is no option of ``run``.
    """
    command, own, taken = list(arguments[:1]), list[str](), list[str]()
    rest = iter(arguments[1:])
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name != _OPTION:
            own.append(argument)
            continue
        file = value if equals else next(rest, "")
        taken += _options_of(Path(file).expanduser()) if file else [argument]
    return [*command, *taken, *own]


def options_text(options: argparse.Namespace) -> str:
    """Return the options of a run as TOML, without those that were neither given nor preset."""
    given = {name: getattr(options, name.replace("-", "_"), None) for name in _NAMES}
    if "limit" in vars(options) and options.limit is None:
        given["limit"] = "none"
    lines = [
        f"{name} = {json.dumps(_plain(value), ensure_ascii=False)}"
        for name, value in given.items()
        if value not in (None, [])
    ]
    return "\n".join([f"# python -m benchmark run {_OPTION} FILE", *lines, ""])


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _options_of(file: Path) -> Iterator[str]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{_OPTION} {file} cannot be read: {error}") from error
    for name, value in values.items():
        if name not in _NAMES:
            raise UsageError(
                f"{file} holds {name}, which is no option of run: it may hold {', '.join(_NAMES)}"
            )
        items = value if isinstance(value, list) else [value]
        if any(isinstance(its, bool) or not isinstance(its, str | int | float) for its in items):
            raise UsageError(f"{file}: {name} is neither a text nor a number nor a list of them")
        words = [str(its) for its in items]
        if name == "option":
            yield from (f"--option={word}" for word in words)
        elif isinstance(value, list):
            yield from (f"--{name}", *words)
        else:
            yield f"--{name}={words[0]}"
