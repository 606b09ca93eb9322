"""Find plug-ins and open them by name: codecs, runners, data sets, analysis networks.

A plug-in is a class, and a kind of plug-in is the base that the class has. It stands at the top
level of a module of the kind's package, with its name as a constant (``name = "jpeg"``), or behind
an entry point of that name in the group of the kind's package. What there is, is read from the
source without importing it: a plug-in is imported when it is asked for, and no other plug-in can
stop that, whatever it does when it is imported.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmark.errors import PluginError, UsageError
from benchmark.plugin_search import Plugin, find_all, shown_path, unsafe_name

Base = TypeVar("Base")
Result = TypeVar("Result")


class Kind(Generic[Base]):
    """A kind of plug-in: where its plug-ins are, and what is asked of each."""

    def __init__(
        self,
        noun: str,
        package: str,
        base: type[Base],
        contract: Callable[[type[Base]], str] = lambda found: "",
    ) -> None:
        """Describe a kind.

        Args:
            noun: what messages call a plug-in of it.
            package: the package with its modules, and the name of its entry-point group.
            base: what each of its classes is a subclass of.
            contract: says what is wrong with a class beyond missing methods; empty for nothing.
        """
        self.noun, self.package, self.base = noun, package, base
        self._contract = contract
        self._handed_over: dict[str, type[Base]] = {}

    def hand_over(self, found: type[Base]) -> str:
        """Add a class that no module has, such as one from a notebook; return its name.

        Raises:
            PluginError: if it lacks a part of its contract, or another has its name.
        """
        name = getattr(found, "name", None)
        self._check(found, Plugin(str(name), file=_file_of(found)))
        assert isinstance(name, str)
        if problem := unsafe_name(name) or (name in self.found() and "another has that name"):
            raise PluginError(f"{self.noun} {name}: {problem}: choose another name")
        self._handed_over[name] = found
        return name

    def handed_over(self, name: str) -> type[Base] | None:
        """Return the class of a name that `hand_over` was given; None where it was not."""
        return self._handed_over.get(name)

    def found(self) -> Mapping[str, Plugin]:
        """Return all plug-ins by name, those that cannot be used too; none is imported."""
        abstract: frozenset[str] = getattr(self.base, "__abstractmethods__", frozenset())
        return find_all(self.package, self._base_names(), abstract)

    def names(self) -> list[str]:
        """Return all names, those of classes that were handed over too."""
        return sorted({*self.found(), *self._handed_over})

    def forms(self) -> str:
        """Return what can be asked for, for help and messages: ``jpeg, vtm, ...``."""
        return ", ".join(its.form for its in self.found().values() if not its.problem)

    def load(self, name: str) -> type[Base]:
        """Return the class of a name.

        Raises:
            UsageError: if there is no plug-in of that name.
            PluginError: if it cannot be used; its file and the reason are named.
        """
        if name in self._handed_over:
            return self._handed_over[name]
        plugin = self.found().get(name)
        if plugin is None:
            raise UsageError(
                f"there is no {self.noun} {name!r}: there are {self.forms() or 'none'}"
            )
        if plugin.problem:
            raise PluginError(f"{plugin.file}: {plugin.problem}")
        found = guarded(f"{plugin.file} cannot be imported", functools.partial(_imported, plugin))
        self._check(found, plugin)
        loaded: type[Base] = found
        return loaded

    def split(self, spec: str) -> tuple[str, str]:
        """Return name and WHERE of ``NAME`` or ``NAME:WHERE``.

        Raises:
            UsageError: if there is none of that name, or WHERE is missing or one too many.
        """
        name, colon, where = spec.partition(":")
        plugin = self.found().get(name)
        if plugin is None:
            if name in self._handed_over and not colon:
                return name, ""
            raise UsageError(
                f"there is no {self.noun} {spec!r}: there are {self.forms() or 'none'}"
            )
        needed = plugin.where and not plugin.where.startswith("[")
        if not plugin.problem and ((colon and not (plugin.where and where)) or
                                   (needed and not where)):  # fmt: skip
            raise UsageError(f"{self.noun} {spec!r} is not of the form {plugin.form}")
        return name, where

    def _base_names(self) -> frozenset[str]:
        """The base and what its own module makes of it, as a plug-in's source names them."""
        module = sys.modules[self.base.__module__]
        classes = [value for value in vars(module).values() if inspect.isclass(value)]
        return frozenset(its.__name__ for its in classes if issubclass(its, self.base))

    def _check(self, found: Any, plugin: Plugin) -> None:
        problem = self._wrong(found, plugin)
        if problem:
            raise PluginError(f"{plugin.file}: {problem}")

    def _wrong(self, found: Any, plugin: Plugin) -> str:
        if not inspect.isclass(found):
            return f"{plugin.attribute} is no class but {found!r:.60}"
        called = f"the class {found.__qualname__}"
        if not issubclass(found, self.base):
            return f"{called} is no subclass of {self.base.__module__}.{self.base.__name__}"
        if lacking := sorted(getattr(found, "__abstractmethods__", ())):
            return f"{called} lacks {', '.join(lacking)}"
        if getattr(found, "name", None) != plugin.name:
            return f"{called} calls itself {getattr(found, 'name', None)!r}, not {plugin.name!r}"
        problem = self._contract(found)
        return f"{called}: {problem}" if problem else ""


def guarded(what: str, function: Callable[[], Result]) -> Result:
    """Call what a plug-in brings; whatever it does becomes an error of one line.

    What it prints goes to the standard error, away from tables.

    Args:
        what: the beginning of the message.
        function: calls the plug-in.

    Raises:
        PluginError: if it raises anything that is no message of the harness's own kinds, or exits.
    """
    from benchmark.errors import CodecUnavailable

    try:
        with contextlib.redirect_stdout(sys.stderr):
            return function()
    except (UsageError, CodecUnavailable):
        raise
    except BaseException as error:  # a plug-in may exit, or raise what it likes
        kind, text = type(error).__name__, " ".join(str(error).split())
        raise PluginError(f"{what}: {kind}{f': {text}' if text else ''}") from error


def _imported(plugin: Plugin) -> Any:
    found: Any = importlib.import_module(plugin.module)
    for name in plugin.attribute.split("."):
        found = getattr(found, name)
    return found


def _file_of(found: Any) -> str:
    try:
        return shown_path(Path(inspect.getfile(found)))
    except (TypeError, OSError):
        return "as handed over"
