"""Finds the classes that adapters and runners bring, without naming one of them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any


def find_plugins(package: str, base: type) -> Iterator[tuple[str, type[Any] | Exception]]:
    """Yields the name and the class of each plugin, or the error of importing it.

    Plugins are the concrete subclasses of ``base`` that the modules of ``package`` define, and
    those behind the entry points, in the group of the package's name, of other distributions.
    """
    parent = importlib.import_module(package)
    for module in pkgutil.iter_modules(parent.__path__, parent.__name__ + "."):
        try:
            loaded = importlib.import_module(module.name)
        except Exception as error:  # a plugin may fail in any way; the others still work
            yield module.name.rpartition(".")[2], error
            continue
        for plugin in _plugins_in(loaded, base):
            yield plugin.name, plugin
    for entry_point in entry_points(group=package):
        try:
            plugin = entry_point.load()
        except Exception as error:
            yield entry_point.name, error
            continue
        yield plugin.name, plugin


def _plugins_in(module: ModuleType, base: type) -> Iterator[type[Any]]:
    for value in vars(module).values():
        if (
            inspect.isclass(value)
            and issubclass(value, base)
            and not inspect.isabstract(value)
            and isinstance(getattr(value, "name", None), str)
            and _defined_in(value, module)
        ):
            yield value


def _defined_in(plugin: type, module: ModuleType) -> bool:
    """Whether the class comes from this module, or from below it where it is a package."""
    return f"{plugin.__module__}.".startswith(f"{module.__name__}.")
