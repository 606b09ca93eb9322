"""Identities: all of an adapter's source, and the values of its options."""

import importlib
import sys

import pytest

import benchmark.codecs
from benchmark.codec import (
    Codec,
    RatePoint,
    identities_at,
    identity_of,
    open_codec,
    rate_points,
)
from benchmark.system import source

ADAPTER = """
from benchmark.codec import Codec, rate_points

from .transform import HALF


class Folded(Codec):
    name = "folded"
    rate_points = rate_points("q", 1)

    def __init__(self, speed="slow"):
        self.speed = speed

    def encode(self, image, rate_point):
        return bytes(image) * HALF

    def decode(self, bitstream):
        return bitstream
"""


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A second folder of adapters, beside the package's own."""
    monkeypatch.setattr(benchmark.codecs, "__path__", [*benchmark.codecs.__path__, str(tmp_path)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("benchmark.codecs.t_")]:
        del sys.modules[name]


def code_of(name):
    for loaded in [its for its in sys.modules if its.startswith(f"benchmark.codecs.{name}")]:
        del sys.modules[loaded]
    importlib.invalidate_caches()
    source._files.cache_clear()
    kind = importlib.import_module(f"benchmark.codecs.{name}").Folded
    return identity_of(kind())["code"]


def test_an_edit_beside_the_module_of_a_folder_is_noticed(shelf):
    (shelf / "t_folded").mkdir()
    (shelf / "t_folded/__init__.py").write_text(ADAPTER)
    (shelf / "t_folded/transform.py").write_text("HALF = 1\n")
    before = code_of("t_folded")
    assert code_of("t_folded") == before
    (shelf / "t_folded/transform.py").write_text("HALF = 2\n")
    assert code_of("t_folded") != before


def test_an_edit_of_a_file_that_an_adapter_imports_is_noticed_and_of_another_not(shelf):
    (shelf / "t_single.py").write_text(ADAPTER.replace(".transform", ".t_part"))
    (shelf / "t_part.py").write_text("HALF = 1\n")
    (shelf / "t_other.py").write_text("HALF = 1\n")
    before = code_of("t_single")
    (shelf / "t_other.py").write_text("HALF = 2\n")
    assert code_of("t_single") == before
    (shelf / "t_part.py").write_text("HALF = 2\n")
    assert code_of("t_single") != before


class Plain(Codec):
    name = "plain"
    rate_points = ()

    def __init__(self, speed: str = "slow", *, depth: str = "8") -> None:
        self.speed = speed

    def encode(self, image, rate_point):
        return b""

    def decode(self, bitstream):
        return None


class Quick(Plain):
    def __init__(self) -> None:
        super().__init__("quick")


def test_options_belong_to_the_identity_by_default():
    assert Plain().identity() == {"option speed": "slow", "option depth": "8"}
    assert Plain("fast").identity() == Plain(speed="fast").identity() != Plain().identity()
    assert Quick().identity() == {}
    assert identity_of(Plain())["code"]


class Trained(Plain):
    rate_points = rate_points("q", 1, 2, 3)

    def identity_at(self, rate_point):
        weights = {RatePoint("q", 1): "a", RatePoint("q", 2): "b"}
        return {"weights": weights[rate_point]} if rate_point in weights else {}


def test_weights_belong_to_the_rate_points_that_use_them():
    points = [*Trained.rate_points, RatePoint("q", 2, scale=0.5), RatePoint("bpp", 0.1)]
    assert identities_at(Trained(), points) == {
        "q1": {"weights": "a"},
        "q2": {"weights": "b"},
        "q2@0.5": {"weights": "b"},
        "bpp0.1": {"q1 weights": "a", "q2 weights": "b"},
    }


def test_every_codec_of_the_package_says_its_source():
    assert len(identity_of(open_codec("jpeg"))["code"]) == 64
    assert identity_of(open_codec("jpeg")) == identity_of(open_codec("jpeg"))
