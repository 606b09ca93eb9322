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


BELOW = {
    "errors": (),
    "system": ("errors",),
    "image": ("errors", "system"),
    "plugin_search": (),
    "plugins": ("errors", "system", "plugin_search"),
    "complexity": (),
    "rate_point": ("errors",),
    "codec": ("errors", "system", "image", "plugins", "complexity", "rate_point"),
    "runner": ("errors", "system", "plugins"),
    "training": ("errors", "system"),
    "datasets": ("errors", "system", "image", "plugins"),
    "analysis": ("errors", "system", "image", "plugins", "training", "datasets"),
    "metrics": ("errors", "system", "image", "datasets", "analysis"),
}
BELOW["coding"] = (*BELOW["codec"], "codec")
BELOW["run"] = (*BELOW["metrics"], *BELOW["coding"], "metrics", "coding", "runner")
BELOW["evaluation"] = (*BELOW["run"], "run")
BELOW["report"] = BELOW["figures"] = (*BELOW["evaluation"], "evaluation")
BELOW["contracts"] = (*BELOW["run"], "run", "plugins")
BELOW["finished_run"] = (*BELOW["report"], "report", "figures")
BELOW["preliminary"] = BELOW["finished_run"]
BELOW["api"] = (*BELOW["finished_run"], "finished_run", "preliminary")
BELOW["options_file"] = ("errors",)
BELOW["merging"] = (*BELOW["api"], "api")
BELOW["cli_options"] = (*BELOW["merging"], "merging", "contracts", "options_file")
BELOW["file_commands"] = (*BELOW["cli_options"], "cli_options")
BELOW["cli"] = (*BELOW["file_commands"], "file_commands", "training")
"""What each room of the harness may import: only what lies below it, so that there is no circle."""


def test_rooms_import_only_what_lies_below_them():
    for file in (ROOT / "benchmark").rglob("*.py"):
        room = file.relative_to(ROOT / "benchmark").parts[0].removesuffix(".py")
        if room.startswith("__"):
            continue
        for name in imported_names(file):
            if name.startswith("benchmark."):
                other = name.split(".")[1]
                assert other in (*BELOW[room], room), f"{file} imports {name}"


def test_only_the_command_line_prints():
    for file in (ROOT / "benchmark").rglob("*.py"):
        if file.name != "cli.py":
            calls = [
                node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)
            ]
            assert not any(getattr(call.func, "id", "") == "print" for call in calls), file


def test_every_package_is_declared_and_so_part_of_a_wheel():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for top in ("benchmark", *OUTSIDE)
        for file in (ROOT / top).rglob("__init__.py")
    }
    names = {f"benchmark.{n}" if n.startswith(OUTSIDE) else n for n in found}
    assert names == set(declared["packages"])


def test_no_file_is_longer_than_a_reader_s_patience():
    for top in ("benchmark", "codecs", "runners"):
        for file in (ROOT / top).rglob("*.py"):
            assert len(file.read_text(encoding="utf-8").splitlines()) < 350, file
