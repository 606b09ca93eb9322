"""Whether every edit of a plug-in's source changes its identity."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmark.contracts.outcome import expect
from benchmark.runner import Finished, Runner
from benchmark.system import source


def unnoticed_edits(kind: type, package: str, runner: Runner) -> tuple[int, list[str]]:
    """Edit each source file of a class in a copy, in another process.

    Args:
        kind: the class.
        package: of its kind of plug-ins, for example ``benchmark.codecs``.
        runner: works in other processes than this one.

    Returns:
        The number of files that were edited, and the names of those whose edit does not change
        `benchmark.system.source.source_hash`.
    """
    module = inspect.getmodule(kind)
    if module is None or not getattr(module, "__file__", None) or module.__name__ == "__main__":
        return 0, []
    inside = module.__name__.startswith(f"{package}.")
    top = package if inside else module.__name__.partition(".")[0]
    (outcome,) = runner.run(_edited, [(module.__name__, kind.__qualname__, package, top)])
    expect(isinstance(outcome, Finished), getattr(outcome, "reason", ""))
    assert isinstance(outcome, Finished)
    return outcome.result


def _edited(task: tuple[str, str, str, str]) -> tuple[int, list[str]]:
    name, qualname, package, top = task
    spec = importlib.util.find_spec(top)
    assert spec is not None
    with tempfile.TemporaryDirectory(prefix="source-") as folder:
        if spec.submodule_search_locations:
            root = Path(folder, top.rpartition(".")[2])
            for original in spec.submodule_search_locations:
                shutil.copytree(
                    original, root, dirs_exist_ok=True,
                    ignore=lambda where, names: [
                        its for its in names
                        if its == "__pycache__" or not (its.endswith(".py") or
                                                        Path(where, its).is_dir())
                    ],
                )  # fmt: skip
        else:
            root = Path(folder)
            shutil.copy(str(spec.origin), root)
        before = dict(sys.modules)
        for loaded in [its for its in sys.modules if its == top or its.startswith(f"{top}.")]:
            if loaded != package:
                del sys.modules[loaded]
        shelf = importlib.import_module(package)
        paths, shelf.__path__ = shelf.__path__, [str(root), *shelf.__path__]
        sys.path.insert(0, folder)
        source._files.cache_clear()
        importlib.invalidate_caches()
        try:
            found: Any = importlib.import_module(name)
            for part in qualname.split("."):
                found = getattr(found, part)
            return _edit_each(found, name, package, root)
        finally:
            sys.path.remove(folder)
            shelf.__path__ = paths
            sys.modules.clear()
            sys.modules.update(before)
            source._files.cache_clear()


def _edit_each(found: type, name: str, package: str, root: Path) -> tuple[int, list[str]]:
    before = source.source_hash(found, package)
    files = _belonging(name, package, root)
    unnoticed = []
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content + b"\n# an edit\n")
        source._files.cache_clear()
        if source.source_hash(found, package) == before:
            unnoticed.append(str(file.relative_to(root)))
        file.write_bytes(content)
    source._files.cache_clear()
    return len(files), unnoticed


def _belonging(name: str, package: str, root: Path) -> list[Path]:
    """The files of the plug-in: its module, or the folder on the kind's shelf, or its package."""
    if name.startswith(f"{package}."):
        first = root / name.removeprefix(f"{package}.").partition(".")[0]
        return sorted(first.rglob("*.py")) if first.is_dir() else [first.with_suffix(".py")]
    if "." not in name and (root / f"{name}.py").is_file():
        return [root / f"{name}.py"]
    return sorted(root.rglob("*.py"))
