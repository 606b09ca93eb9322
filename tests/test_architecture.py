"""The rules that keep the harness free of what plugs into it."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUTSIDE = ("codecs", "runners", "results")


def imported_names(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_the_harness_imports_no_adapter_and_no_runner():
    for file in (ROOT / "benchmark").rglob("*.py"):
        for name in imported_names(file):
            assert not name.startswith(("benchmark.codecs", "benchmark.runners")), file


def test_every_package_is_declared_and_so_part_of_a_wheel():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for top in ("benchmark", *OUTSIDE)
        for file in (ROOT / top).rglob("__init__.py")
    }
    names = {f"benchmark.{n}" if n.startswith(OUTSIDE) else n for n in found}
    assert names == set(declared["packages"])
