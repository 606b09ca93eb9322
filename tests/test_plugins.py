"""Plug-ins are found by name, and a broken one stops nobody who does not ask for it."""

import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import PIL.Image
import pytest

from benchmark.codec import CODECS, Codec, open_codec, rate_points
from benchmark.contracts import check
from benchmark.datasets.dataset import DATASETS
from benchmark.errors import CodecUnavailable, PluginError, UsageError
from benchmark.runner import RUNNERS

GOOD = """
from benchmark.codec import Codec, rate_points
class C(Codec):
    name = "{name}"
    rate_points = rate_points("q", 1, 2)
    def encode(self, image, rate_point):
        return image.shape[0].to_bytes(2, "big") + image.tobytes()
    def decode(self, bitstream):
        import numpy as np
        height = int.from_bytes(bitstream[:2], "big")
        return np.frombuffer(bitstream[2:], np.uint8).reshape(height, -1, 3)
"""

BROKEN = {
    "import": ("import nonexistent_library", r"cannot be imported: ModuleNotFoundError"),
    "exit": ("import sys; sys.exit('usage: mine')", "cannot be imported: SystemExit: usage: mine"),
    "interrupt": ("raise KeyboardInterrupt", "cannot be imported: KeyboardInterrupt"),
    "function": ("def C(): pass", "C is no class but <function"),
    "missing": ("", "cannot be imported: AttributeError"),
    "stranger": ("class C: name = 'stranger'", "is no subclass of benchmark.codec.Codec"),
    "half": (
        "from benchmark.codec import Codec\nclass C(Codec):\n    name = 'half'\n"
        "    def encode(self, image, rate_point): return b''",
        "the class C lacks decode",
    ),
    "renamed": (GOOD.format(name="other"), "calls itself 'other', not 'renamed'"),
    "required": (
        GOOD.format(name="required") + "    def __init__(self, weights): pass",
        "its option 'weights' has no default",
    ),
    "pointless": (
        GOOD.format(name="pointless").replace('rate_points("q", 1, 2)', "(1, 2)"),
        "has the rate point 1, which is no RatePoint",
    ),
    "double": (
        GOOD.format(name="double").replace('"q", 1, 2', '"q", 1, 1.0000001'),
        "has more than one rate point called q1",
    ),
    "constructor": (
        GOOD.format(name="constructor") + "    def __init__(self): open('/no/such/file')",
        "the constructor of codec constructor fails: FileNotFoundError",
    ),
    "jpeg": (GOOD.format(name="jpeg"), "the name jpeg is taken by .*jpeg.py"),
    "../up": (GOOD.format(name="../up"), "is not of letters, digits"),
    "none": (GOOD.format(name="none"), "has a meaning of its own"),
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with a distribution of many broken codecs and a good one."""
    folder = tmp_path_factory.mktemp("installed")
    metadata = folder / "strange-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    lines = ["[benchmark.codecs]", "good = module_good:C"]
    (folder / "module_good.py").write_text(GOOD.format(name="good"))
    for number, (name, (source, _)) in enumerate(BROKEN.items()):
        (folder / f"module{number}.py").write_text(source)
        lines.append(f"{name} = module{number}:C")
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def listed(installed):
    """What `codecs` prints with the broken ones installed, as lines."""
    return _command(installed, "codecs").stdout.splitlines()


def _command(installed, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmark", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_listed_with_its_origin_and_the_reason(listed, name):
    shown = f"{name} (module" if name == "jpeg" else f"{name} "
    (line,) = [its for its in listed if its.startswith(shown)]
    assert "cannot run here" in line
    assert "strange (entry point" in line or "module" in line
    assert re.search(BROKEN[name][1], line), line


def test_the_others_are_listed_as_ever(listed):
    assert "good         q1 q2" in listed
    assert any(line.startswith("jpeg         quality") for line in listed)


def test_a_run_that_asks_for_another_codec_goes_on(installed, tmp_path):
    PIL.Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "a.png")
    done = _command(
        installed, "run", "--codecs", "good", "--dataset", f"images:{tmp_path}",
        "--jobs", 1, "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "good" in done.stdout


def test_asking_for_a_broken_codec_says_why(installed, tmp_path):
    done = _command(installed, "run", "--codecs", "half", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "strange (entry point half = " in done.stderr
    assert "the class C lacks decode" in done.stderr


def test_help_names_all_kinds_of_plugins(installed):
    printed = " ".join(_command(installed, "run", "--help").stdout.split())
    for form in ("good", "coco:ANNOTATIONS:IMAGES", "torchvision[:FILE]", "dask:tcp://HOST:PORT"):
        assert form in printed


def test_a_class_without_a_name_of_its_own_is_named_by_its_file(tmp_path, monkeypatch):
    """A module of a kind's package: read from a copy of the package's path."""
    import benchmark.codecs
    from benchmark import plugin_search

    (tmp_path / "nameless.py").write_text(
        "from benchmark.codec import Codec\nclass C(Codec):\n    pass\n"
        "class D(Codec):\n    name = 7\n"
    )
    (tmp_path / "unreadable.py").write_text("class C(\n")
    (tmp_path / "twin_a.py").write_text(GOOD.format(name="twin"))
    (tmp_path / "twin_b.py").write_text(GOOD.format(name="twin"))
    monkeypatch.setattr(benchmark.codecs, "__path__", [*benchmark.codecs.__path__, str(tmp_path)])
    monkeypatch.setattr(
        benchmark.codecs.__spec__, "submodule_search_locations", benchmark.codecs.__path__
    )
    plugin_search.find_all.cache_clear()
    try:
        found = CODECS.found()
        assert "more than one" in found["nameless"].problem
        assert "SyntaxError" in found["unreadable"].problem
        for file in ("twin_a.py", "twin_b.py"):
            assert file in found["twin"].problem
        with pytest.raises(CodecUnavailable, match="more than one is called twin"):
            open_codec("twin")
        assert not found["jpeg"].problem
    finally:
        monkeypatch.undo()
        plugin_search.find_all.cache_clear()


def test_forms_are_checked_before_anything_is_opened():
    assert DATASETS.split("coco:a.json:images") == ("coco", "a.json:images")
    for kind, spec in ((DATASETS, "cityscapes"), (DATASETS, "miniscapes:3"), (RUNNERS, "dask"),
                       (RUNNERS, "local:")):  # fmt: skip
        with pytest.raises(UsageError, match=f"{spec}' is not of the form"):
            kind.split(spec)
    with pytest.raises(UsageError, match=r"there is no data set 'nothing': there are .*miniscapes"):
        DATASETS.split("nothing")


class Careless(Codec):
    """Breaks what can be broken."""

    name = "careless"
    rate_points = rate_points("q", 1)
    calls = 0

    def __init__(self, level="1"):
        self.level = level

    def identity(self):
        return {}

    def encode(self, image, rate_point):
        Careless.calls += 1
        print("encoding")
        return image.tobytes() + bytes([Careless.calls % 256, int(self.level)])

    def decode(self, bitstream):
        return bytes(10)[20]


def test_check_finds_what_a_careless_codec_breaks():
    failed = {result.what for result in check(Careless) if not result.passed}
    assert failed >= {
        "q1: decoded in another process to the same pixels",
        "the same image gives the same bytes again",
        "damaged bitstreams give an image or a documented error",
        "other options give another identity, or the same bits",
    }


def test_a_class_may_not_take_the_name_of_a_plugin():
    class Jpeg(Careless):
        name = "jpeg"

    with pytest.raises(PluginError, match="another has that name"):
        CODECS.hand_over(Jpeg)


@pytest.mark.parametrize("command", [["--help"], ["codecs"], ["run", "--help"]])
def test_lists_and_help_import_nothing_slow(command):
    code = textwrap.dedent(f"""
        import sys
        from benchmark.cli import main
        try:
            main({command!r})
        except SystemExit:
            pass
        slow = {{"torch", "pandas", "matplotlib", "joblib", "distributed"}}
        assert not slow & set(sys.modules), slow & set(sys.modules)
    """)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_packages_of_the_api_can_be_called_in_any_order():
    code = textwrap.dedent("""
        import benchmark.run.presets, benchmark
        assert callable(benchmark.run) and benchmark.run.presets
        assert [codec.name for codec in benchmark.codecs() if codec.name == "jpeg"]
        from benchmark.codecs.jpeg import Jpeg
        assert benchmark.codecs.jpeg.Jpeg is Jpeg and callable(benchmark.report)
        assert benchmark.__version__
    """)
    subprocess.run([sys.executable, "-c", code], check=True)
