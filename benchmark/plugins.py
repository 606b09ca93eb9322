"""Find plug-ins and open them by name: codecs, runners, data sets, analysis networks.

A plug-in is a class, and a kind of plug-in is the base that the class has. It stands at the top
level of a module of the kind's package, with its name as a constant (``name = "jpeg"``), or behind
an entry point of that name in the group of the kind's package. What there is, is read from the
source without importing it: a plug-in is imported when it is asked for, and no other plug-in can
stop that, whatever it does when it is imported.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from benchmark.errors import PluginError, UsageError

Base = TypeVar("Base")
Result = TypeVar("Result")

_SAFE_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}"
RESERVED = ("none", "uncompressed")
"""Names that no plug-in may have: ``--analysis none``, and the original images of a run folder."""


@dataclass(frozen=True)
class Plugin:
    """A plug-in that was found, not yet imported.

    Attributes:
        name: what it is asked for by.
        where: what may follow the name and a colon: empty for nothing, ``PATH`` for something
            that must, ``[PATH]`` for something that may.
        summary: the first line of the class's docstring.
        file: where its source is.
        module, attribute: what to import; both empty where nothing can be.
        methods: names of the methods that its class states, or a base of it in the same package.
        problem: why it cannot be used; empty where nothing is known against it.
    """

    name: str
    where: str = ""
    summary: str = ""
    file: str = ""
    module: str = ""
    attribute: str = ""
    methods: frozenset[str] = frozenset()
    problem: str = ""

    @property
    def form(self) -> str:
        """Return how to ask for it: ``NAME``, ``NAME:WHERE`` or ``NAME[:WHERE]``."""
        if self.where.startswith("["):
            return f"{self.name}[:{self.where[1:-1]}]"
        return f"{self.name}:{self.where}" if self.where else self.name


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
        if problem := _unsafe(name) or (name in self.found() and "another has that name"):
            raise PluginError(f"{self.noun} {name}: {problem}: choose another name")
        self._handed_over[name] = found
        return name

    def handed_over(self, name: str) -> type[Base] | None:
        """Return the class of a name that `hand_over` was given; None where it was not."""
        return self._handed_over.get(name)

    def found(self) -> Mapping[str, Plugin]:
        """Return all plug-ins by name, those that cannot be used too; none is imported."""
        abstract: frozenset[str] = getattr(self.base, "__abstractmethods__", frozenset())
        return _found(self.package, self._base_names(), abstract)

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
        return _shown(Path(inspect.getfile(found)))
    except (TypeError, OSError):
        return "as handed over"


@functools.cache
def _found(package: str, bases: frozenset[str], asked: frozenset[str]) -> Mapping[str, Plugin]:
    claims: dict[str, list[Plugin]] = {}
    for plugin in _in_package(package, bases, asked):
        claims.setdefault(plugin.name, []).append(plugin)
    found = {}
    for name, claiming in claims.items():
        plugin = claiming[0]
        if len(claiming) > 1:
            files = " and ".join(dict.fromkeys(its.file for its in claiming))
            plugin = replace(plugin, problem=f"more than one is called {name} ({files}): rename")
        found[name] = replace(plugin, problem=plugin.problem or _unsafe(name))
    lower = {name.casefold(): name for name in found}
    for plugin in _behind_entry_points(package):
        name = plugin.name
        if other := lower.get(name.casefold()):
            problem = f"the name {name} is taken by {found[other].file}"
            name = f"{name} ({plugin.module})"
            plugin = replace(plugin, name=name, problem=problem)
        lower[name.casefold()] = name
        found[name] = replace(plugin, problem=plugin.problem or _unsafe(name))
    return dict(sorted(found.items()))


def _unsafe(name: str) -> str:
    """What is wrong with a name: it becomes a folder's."""
    if name in RESERVED:
        return f"the name {name} has a meaning of its own"
    if not re.fullmatch(_SAFE_NAME, name) or name.endswith("."):
        return f"the name {name!r} is not of letters, digits, and . _ + - in between"
    return ""


def _behind_entry_points(group: str) -> Iterator[Plugin]:
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=group), key=lambda its: its.value):
        source = point.dist.name if point.dist else "an installed package"
        file = f"{source} (entry point {point.name} = {point.value})"
        problem = "" if point.attr else f"the entry point {point.name} names no class"
        plugin = Plugin(
            point.name, file=file, module=point.module, attribute=point.attr, problem=problem
        )
        yield replace(plugin, **_description_behind(plugin))


def _description_behind(plugin: Plugin) -> dict[str, Any]:
    """The form and summary of a class behind an entry point, as far as its source states them."""
    try:
        top = importlib.util.find_spec(plugin.module.partition(".")[0])
        folders = list(top.submodule_search_locations or ()) if top else []
        parts = plugin.module.split(".")[1:]
        files = [Path(str(top.origin))] if top and not parts else []
        for folder in folders:
            base = Path(folder, *parts)
            files += [base.with_suffix(".py"), base / "__init__.py"]
        for file in files:
            if file.is_file() and file.suffix == ".py":
                for its in _Source.read(file, plugin.module).classes:
                    if its.name == plugin.attribute:
                        return {
                            "where": its.where or "",
                            "summary": its.summary,
                            "methods": its.methods,
                        }
    except (ImportError, OSError, SyntaxError, ValueError, AttributeError):
        pass  # it says so itself when it is asked for
    return {}


class _Class(NamedTuple):
    """A class as its source states it.

    Attributes:
        own: the value of ``name``; None where the class has none of its own.
        constant: whether that is text.
        where: None where it has none of its own.
    """

    name: str
    bases: tuple[str, ...]
    own: str | None
    constant: bool
    where: str | None
    summary: str
    methods: frozenset[str]
    abstract: bool


@dataclass(frozen=True)
class _Source:
    """A module of a kind's package, read and not imported."""

    module: str
    file: str
    classes: tuple[_Class, ...]
    imported: frozenset[str]

    @classmethod
    def read(cls, file: Path, module: str) -> _Source:
        text = file.read_text(encoding="utf-8")
        if "class " not in text:
            return cls(module, _shown(file), (), frozenset())
        statements = list(_top_level(ast.parse(text).body))
        return cls(
            module, _shown(file),
            tuple(_read_class(its) for its in statements if isinstance(its, ast.ClassDef)),
            frozenset(
                alias.asname or alias.name
                for its in statements
                if isinstance(its, ast.ImportFrom)
                for alias in its.names
            ),
        )  # fmt: skip


def _top_level(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in statements:
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            yield from _top_level(statement.body)
            yield from _top_level(statement.orelse)


def _read_class(node: ast.ClassDef) -> _Class:
    own, constant, where = None, False, None
    methods, abstract = set(), False
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef):
            methods.add(statement.name)
            abstract |= any("abstractmethod" in ast.dump(its) for its in statement.decorator_list)
        for target, value in _assigned(statement):
            text = value.value if isinstance(value, ast.Constant) else None
            if target == "name":
                own, constant = ast.unparse(value), isinstance(text, str)
                own = str(text) if constant else own
            elif target == "where" and isinstance(text, str):
                where = text
    bases = tuple(ast.unparse(base).rpartition(".")[2] for base in node.bases)
    summary = (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")
    return _Class(
        node.name, bases, own, constant, where, summary, frozenset(methods),
        abstract or bool({"ABC", "Protocol"} & set(bases)),
    )  # fmt: skip


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, statement.value
    elif (
        isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and statement.value is not None
    ):
        yield statement.target.id, statement.value


def _in_package(package: str, bases: frozenset[str], asked: frozenset[str]) -> Iterator[Plugin]:
    """The plug-ins of a kind's package, in the order of their files.

    Args:
        package: the kind's package.
        bases: names of the base and of what its module makes of it.
        asked: the methods that the base asks for: a class that has a name and some of them is
            meant as a plug-in.
    """
    spec = importlib.util.find_spec(package)
    sources = []
    for folder in map(Path, (spec.submodule_search_locations or ()) if spec else ()):
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            if "__pycache__" in parts:
                continue
            kept = parts[:-1] if parts[-1] == "__init__" else parts
            module = ".".join((package, *kept))
            try:
                sources.append(_Source.read(file, module))
            except (SyntaxError, ValueError, OSError) as error:
                reason = f"cannot be read: {type(error).__name__}: {error}"
                yield Plugin(module.rpartition(".")[2], file=_shown(file), problem=reason)
    for source in sources:
        yield from _plugins_in(source, sources, bases, asked)


def _plugins_in(
    source: _Source, sources: Sequence[_Source], bases: frozenset[str], asked: frozenset[str]
) -> Iterator[Plugin]:
    subclassed = {base for its in source.classes for base in its.bases} | {
        base
        for other in sources
        for its in other.classes
        for base in its.bases
        if base in other.imported
    }
    for its in source.classes:
        chain = list(_chain(its, source, sources))
        descends = any(base in bases for one in chain for base in one.bases)
        alike = its.own is not None and bool(asked & its.methods)
        if not (descends or alike) or (its.own is None and its.name in bases):
            continue
        where = next((one.where for one in chain if one.where is not None), "")
        plugin = Plugin(
            its.own or "", where, its.summary, source.file, source.module, its.name,
            frozenset().union(*(one.methods for one in chain)),
        )  # fmt: skip
        module = source.module.rpartition(".")[2]
        if its.own is None:
            if not (its.abstract or its.name.startswith("_") or its.name in subclassed):
                problem = f"the class {its.name} has no name of its own"
                yield replace(plugin, name=module, problem=problem)
        elif its.constant:
            yield plugin
        else:
            problem = f"the class {its.name} has the name {its.own}, which is no text in quotes"
            yield replace(plugin, name=module, problem=problem)


def _chain(its: _Class, source: _Source, sources: Sequence[_Source]) -> Iterator[_Class]:
    """A class and its bases, as far as they are in the same package."""
    yield its
    for base in its.bases:
        for other in [source] if base not in source.imported else sources:
            for one in other.classes:
                if one.name == base and one is not its:
                    yield from _chain(one, other, sources)


def _shown(file: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(file.relative_to(Path.cwd()))
    return str(file)
