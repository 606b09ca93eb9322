"""Find plug-ins without importing them, by reading their source and the entry points."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

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


@functools.cache
def find_all(package: str, bases: frozenset[str], asked: frozenset[str]) -> Mapping[str, Plugin]:
    claims: dict[str, list[Plugin]] = {}
    for plugin in _in_package(package, bases, asked):
        claims.setdefault(plugin.name, []).append(plugin)
    found = {}
    for name, claiming in claims.items():
        plugin = claiming[0]
        if len(claiming) > 1:
            files = " and ".join(dict.fromkeys(its.file for its in claiming))
            plugin = replace(plugin, problem=f"more than one is called {name} ({files}): rename")
        found[name] = replace(plugin, problem=plugin.problem or unsafe_name(name))
    lower = {name.casefold(): name for name in found}
    for plugin in _behind_entry_points(package):
        name = plugin.name
        if other := lower.get(name.casefold()):
            problem = f"the name {name} is taken by {found[other].file}"
            name = f"{name} ({plugin.module})"
            plugin = replace(plugin, name=name, problem=problem)
        lower[name.casefold()] = name
        found[name] = replace(plugin, problem=plugin.problem or unsafe_name(name))
    return dict(sorted(found.items()))


def unsafe_name(name: str) -> str:
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
            return cls(module, shown_path(file), (), frozenset())
        statements = list(_top_level(ast.parse(text).body))
        return cls(
            module, shown_path(file),
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
                yield Plugin(module.rpartition(".")[2], file=shown_path(file), problem=reason)
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


def shown_path(file: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(file.relative_to(Path.cwd()))
    return str(file)
