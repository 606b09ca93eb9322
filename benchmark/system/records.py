"""Typed entries of JSON files, of which nothing gets lost that this version does not know."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An object of a JSON file.

    Attributes:
        unknown: what the file holds under names that the class does not know; it is written
            again as it was read.
    """

    unknown: dict[str, Any] = msgspec.field(default_factory=dict)


AnEntry = TypeVar("AnEntry", bound=Entry)


def read_entry(kind: type[AnEntry], values: Any) -> AnEntry:
    """Return what a JSON object holds as an entry of a kind, with all below it.

    Raises:
        msgspec.ValidationError: if a field without a default is missing, or one is of another
            type.
    """
    if not isinstance(values, Mapping):
        raise msgspec.ValidationError(f"Expected `object`, got {type(values).__name__}")
    plain, nested = _fields(kind)
    known = {name: values[name] for name in plain if name in values}
    known |= {name: _value(type_, values[name]) for name, type_ in nested if name in values}
    known["unknown"] = {key: values[key] for key in values if key not in known}
    return msgspec.convert(known, kind)


def write_entry(entry: Entry) -> dict[str, Any]:
    """Return an entry as a JSON object: its known fields, then what is unknown."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "unknown"}
    return {name: _plain(value) for name, value in fields.items()} | entry.unknown


@functools.cache  # there is a class, and there are ten thousands of records
def _fields(kind: type[Entry]) -> tuple[list[str], list[tuple[str, Any]]]:
    """The names of plain fields; the names and types of those that hold entries."""
    plain: list[str] = []
    nested: list[tuple[str, Any]] = []
    for name, of in typing.get_type_hints(kind).items():
        if any(_is_entry(part) for part in (of, *typing.get_args(of)[-1:])):
            nested.append((name, of))
        elif name != "unknown":
            plain.append(name)
    return plain, nested


def _is_entry(of: Any) -> bool:
    return isinstance(of, type) and issubclass(of, Entry)


def _value(of: Any, value: Any) -> Any:
    """A value of a field that holds an entry, or a list or dictionary of entries."""
    if _is_entry(of):
        return read_entry(of, value)
    item = typing.get_args(of)[-1]
    if typing.get_origin(of) is list:
        return [read_entry(item, its) for its in msgspec.convert(value, list)]
    return {
        key: read_entry(item, its) for key, its in msgspec.convert(value, dict[str, Any]).items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Entry):
        return write_entry(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
