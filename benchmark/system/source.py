"""The source code that stands behind a class: what a plug-in's identity rests on."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path


def source_hash(kind: type, shelf: str) -> str:
    """Return the SHA-256 of all source code that belongs to a plug-in's class.

    Of a class in ``SHELF.NAME`` that is the file or the whole folder ``NAME`` on the shelf, and
    what that imports from the same shelf. Of any other class it is the whole package that defines
    it; of one that was defined in a notebook, the class alone.

    Args:
        kind: the class.
        shelf: the package whose modules are plug-ins, for example ``benchmark.codecs``.
    """
    digest = hashlib.sha256()
    for name, content in _sources(kind, shelf):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _sources(kind: type, shelf: str) -> Iterator[tuple[str, bytes]]:
    module = inspect.getmodule(kind)
    if module is None or getattr(module, "__file__", None) is None:
        yield kind.__qualname__, inspect.getsource(kind).encode()
    elif module.__name__.startswith(f"{shelf}."):
        for unit in _units(module.__name__.removeprefix(f"{shelf}.").partition(".")[0], shelf):
            yield from _files(f"{shelf}.{unit}")
    elif module.__name__ == "__main__":
        yield "__main__", Path(str(module.__file__)).read_bytes()
    else:
        package = _files(module.__name__.partition(".")[0])
        file = Path(str(module.__file__))
        # a module that was not imported by its name stands alone
        yield from package or [(module.__name__, file.read_bytes())]


def _units(unit: str, shelf: str) -> list[str]:
    """A file or folder on the shelf, and those that it imports, directly or not."""
    found, waiting = {unit}, [unit]
    while waiting:
        for other in _imported(f"{shelf}.{waiting.pop()}", shelf) - found:
            found.add(other)
            waiting.append(other)
    return sorted(found)


def _imported(name: str, shelf: str) -> set[str]:
    """What the files of a module or package import from the shelf, by its first name there."""
    found = set()
    for module, content in _files(name):
        package = module if _is_package(module) else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(content)):
            targets: list[str] = []
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                start = importlib.util.resolve_name("." * node.level, package) if node.level else ""
                base = ".".join(filter(None, (start, node.module)))
                targets = [f"{base}.{alias.name}" for alias in node.names]
            for target in targets:
                if target.startswith(f"{shelf}."):
                    unit = target.removeprefix(f"{shelf}.").partition(".")[0]
                    if importlib.util.find_spec(f"{shelf}.{unit}"):
                        found.add(unit)
    return found


def _is_package(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None


@functools.cache
def _files(name: str) -> tuple[tuple[str, bytes], ...]:
    """The modules of a module or package, by name, with their content."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return ()
    if spec is None or spec.origin is None:
        return ()
    origin = Path(spec.origin)
    if spec.submodule_search_locations is None:
        return ((name, origin.read_bytes()),)
    folder = origin.parent
    return tuple(
        (_module_name(name, file.relative_to(folder)), file.read_bytes())
        for file in sorted(folder.rglob("*.py"))
        if "__pycache__" not in file.parts
    )


def _module_name(package: str, file: Path) -> str:
    parts = [package, *file.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
