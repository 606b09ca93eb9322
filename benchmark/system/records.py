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
    types = _types(kind)
    names = set(kind.__struct_fields__) - {"unknown"}
    known = {name: _value(types[name], values[name]) for name in names if name in values}
    missing = [name for name in _required(kind) if name not in known]
    if missing:
        raise msgspec.ValidationError(f"Object missing required field `{missing[0]}`")
    return kind(**known, unknown={key: values[key] for key in values if key not in names})


def write_entry(entry: Entry) -> dict[str, Any]:
    """Return an entry as a JSON object: its known fields, then what is unknown."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__ if name != "unknown"}
    return {name: _plain(value) for name, value in fields.items()} | entry.unknown


@functools.cache  # there is a class, and there are ten thousands of records
def _types(kind: type[Entry]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


@functools.cache
def _required(kind: type[Entry]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(kind) if field.required)


def _value(kind: Any, value: Any) -> Any:
    """A value of a field; lists and dictionaries of entries are taken apart."""
    if isinstance(kind, type) and issubclass(kind, Entry):
        return read_entry(kind, value)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    of_entries = arguments and isinstance(arguments[-1], type) and issubclass(arguments[-1], Entry)
    if of_entries and origin is list:
        return [read_entry(arguments[0], item) for item in msgspec.convert(value, list)]
    if of_entries and origin is dict:
        items = msgspec.convert(value, dict[str, Any]).items()
        return {key: read_entry(arguments[1], item) for key, item in items}
    return msgspec.convert(value, kind)


def _plain(value: Any) -> Any:
    if isinstance(value, Entry):
        return write_entry(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
