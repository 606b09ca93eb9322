"""Parameters and operations of learned codecs: counted right, and shown wherever codecs are."""

import json

import pandas as pd
import pytest
import torch
from compressai.registry import MODELS

import benchmark
from benchmark.codec import open_codec
from benchmark.complexity import count_kmac
from benchmark.evaluation.complexity import COMPLEXITY, complexity_lines
from benchmark.run.run_folder import RunFolder


def test_a_convolution_counts_as_its_kernel_says():
    layer = torch.nn.Conv2d(3, 8, 5, stride=2, padding=2)
    image = torch.zeros(1, 3, 64, 64)
    assert count_kmac(lambda: layer(image), 64 * 64) == pytest.approx(8 * 3 * 25 / 4 / 1000)


def test_a_model_of_compressai_counts_as_its_layers_say(tmp_path):
    torch.manual_seed(0)
    channels, latent = 8, 12
    torch.save(MODELS["bmshj2018-factorized"](channels, latent).state_dict(), tmp_path / "w.pth")
    options = {"architecture": "bmshj2018-factorized", "checkpoint": str(tmp_path / "w.pth")}
    codec = open_codec("compressai", options)
    found = codec.complexity(codec.rate_points[0])
    # Four 5x5 convolutions of stride 2, and a 1x1 one (GDN) behind each of the first three.
    taps = [25 * 3 * channels, *(2 * [25 * channels**2]), 25 * channels * latent]
    gdn = [channels**2] * 3 + [0]
    mac = sum((a + b) / 4**stage for stage, (a, b) in enumerate(zip(taps, gdn, strict=True), 1))
    assert found.encoder_kmac == pytest.approx(mac / 1000)
    weights = sum(taps) + sum(gdn)
    biases = 3 * channels * 2 + latent
    bottleneck = latent * (3 + 3 * 3 + 3 * 3 + 3 * 3 + 3 + 4 * 3 + 1 + 4 * 3 + 3)
    # matrices 1x3, 3x3 (three), 3x1; biases 3 (four), 1; factors 3 (four); quantiles 3
    assert found.encoder_parameters == weights + biases + bottleneck


def test_masking_costs_the_encoder_only():
    plain, masked = (open_codec(name) for name in ("ncn", "ncn-lsm"))
    point = plain.rate_points[0]
    one, other = plain.complexity(point), masked.complexity(point)
    assert one.encoder_kmac < other.encoder_kmac
    assert one.encoder_parameters < other.encoder_parameters
    assert (one.decoder_kmac, one.decoder_parameters) == (
        other.decoder_kmac, other.decoder_parameters,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return benchmark.run(
        ["ncn", "jpeg"], rates=["ncn:lambda2", "ncn:lambda15", "jpeg:quality7", "jpeg:quality20"],
        limit=1, analysis=None, jobs=1, out=tmp_path_factory.mktemp("run") / "run",
    )  # fmt: skip


def test_tables_report_and_exports_show_it(run):
    names = [its.column for its in COMPLEXITY]
    table = pd.read_csv(run.path / "summary.csv")
    assert list(table)[-4:] == names
    assert table.loc[table["codec"] == "jpeg", names].isna().all(axis=None)
    ncn = open_codec("ncn")
    found = ncn.complexity(ncn.rate_point("lambda2"))
    shown = table[table["rate_point"] == "lambda2"].iloc[0]
    assert [shown[name] for name in names] == [getattr(found, name) for name in names]
    assert complexity_lines(run.summary) == [
        "ncn: 1.81 M parameters and 13.6 kMAC per pixel to encode, 1.34 M and 12.5 to decode"
    ]
    page = (run.path / "report.html").read_text()
    assert "encoder / kMAC per pixel" in page and "<td>1.81</td>" in page
    exported = json.loads((run.path / "compressai/ncn.json").read_text())["results"]
    assert exported["encoder_kmac"] == 2 * [found.encoder_kmac]
    assert "encoder_kmac" not in json.loads((run.path / "compressai/jpeg.json").read_text())


def test_each_rate_point_is_counted_once_and_kept(run):
    again = benchmark.run(
        ["ncn"], rates=["lambda2", "lambda6"], limit=1, analysis=None, jobs=1, out=run.path
    )
    manifest = RunFolder(again.path).finished_manifest()
    assert list(manifest.invocations[-1].codecs["ncn"].complexity) == ["lambda6"]
    assert set(manifest.codecs["ncn"].complexity) == {"lambda2", "lambda6", "lambda15"}
    assert again.summary.set_index("rate_point").loc["lambda15", "encoder_parameters"] > 1e6
