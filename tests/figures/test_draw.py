"""The figures of a run: which are drawn, as what files, and what is said of the others."""

import hashlib
import re
import shutil

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import torch

from benchmark.codec import open_codec
from benchmark.errors import UsageError
from benchmark.figures.draw import draw_figures, lowest_good_rate
from benchmark.figures.laplace import choose_element

BACKBONE_CHANNELS = 128  # of the embedded analysis network


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A small untrained NCN and an LSMnet on it, at two rate points."""
    from benchmark.codecs.ncn.network import NCN
    from benchmark.codecs.ncn.weights_file import Description, Weights, save_weights

    root = tmp_path_factory.mktemp("weights")
    for seed, value in enumerate((0.5, 2.0)):
        torch.manual_seed(seed)
        network = NCN(8).eval()
        with torch.no_grad():
            network.analysis[-1].weight *= 60  # latents of some steps, so that there are bits
        name = f"lambda{value:g}.safetensors"
        save_weights(root / "ncn" / name, Weights(network, None, Description(8, value, "", {})))
        start = hashlib.sha256((root / "ncn" / name).read_bytes()).hexdigest()
        masked = Description(8, value, "miniscapes", {"start": start})
        to_alpha = torch.nn.Conv2d(BACKBONE_CHANNELS, 8, 1)
        save_weights(root / "ncn-lsm" / name, Weights(None, to_alpha, masked))
    return root


@pytest.fixture(scope="module")
def masking_run(tmp_path_factory, dataset, run_of, weights):
    options = {"weights": str(weights)}
    points = ("lambda0.5", "lambda2")
    rates = {"jpeg": ({}, ("quality5", "quality35"))}
    rates |= dict.fromkeys(("ncn", "ncn-lsm"), (options, points))
    return run_of(tmp_path_factory.mktemp("masking"), dataset, rates)


@pytest.fixture(autouse=True)
def said_at_all(caplog):
    caplog.set_level("INFO", "benchmark")


def names(paths):
    return {path.name for path in paths}


def test_a_run_without_masks_has_curves_and_a_comparison(finished_run, tmp_path, caplog):
    paths = draw_figures(finished_run.path, tmp_path / "figures", anchor="jpeg")
    expected = ("wap-curves", "relative-curve-difference", "comparison-scene0.png")
    assert names(paths) == {f"{name}.{kind}" for name in expected for kind in ("svg", "pdf", "png")}
    assert all(path.stat().st_size > 1000 for path in paths)
    (line,) = caplog.messages
    assert line == "no figures of alpha and of a masked latent: no codec that masks runs here"


def test_figures_are_as_wide_as_a_column_or_two(finished_run, tmp_path):
    draw_figures(finished_run.path, tmp_path, anchor="jpeg")
    for name, inches in (("wap-curves", 3.5), ("comparison-scene0.png", 7.16)):
        with PIL.Image.open(tmp_path / f"{name}.png") as image:
            assert image.width == pytest.approx(300 * inches, abs=1)


def test_the_same_run_gives_the_same_svg(finished_run, tmp_path):
    for folder in ("one", "two"):
        draw_figures(finished_run.path, tmp_path / folder, codecs=["jpeg"], anchor="jpeg2000")
    files = [path.name for path in (tmp_path / "one").iterdir() if path.suffix != ".png"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_cannot_be_drawn_is_said_in_a_line_each(finished_run, tmp_path, caplog):
    run = tmp_path / "run"
    shutil.copytree(finished_run.path, run)
    for bitstream in run.glob("bitstreams/jpeg/*/scene1.png"):
        bitstream.write_bytes(bitstream.read_bytes()[:-1])
    draw_figures(run, tmp_path / "figures", image="scene1.png")
    said = caplog.text
    assert "no relative curve difference: vtm has no curve in this run" in said
    assert re.search(
        r"not in the comparison of images: jpeg/\w+/scene1\.png: the bitstream is not", said
    )


def test_missing_bitstreams_are_made_again(finished_run, tmp_path):
    run = tmp_path / "published"
    shutil.copytree(finished_run.path, run, ignore=shutil.ignore_patterns("bitstreams"))
    for path, folder in ((finished_run.path, "one"), (run, "two")):
        draw_figures(path, tmp_path / folder, anchor="jpeg")
    one, two = (tmp_path / folder / "comparison-scene0.png.png" for folder in ("one", "two"))
    assert np.array_equal(PIL.Image.open(one), PIL.Image.open(two))


def test_without_the_data_set_curves_are_drawn_all_the_same(finished_run, tmp_path, caplog):
    run = tmp_path / "run"
    shutil.copytree(finished_run.path, run)
    manifest = (run / "run.json").read_text()
    (run / "run.json").write_text(manifest.replace("instances.json", "elsewhere.json"))
    paths = draw_figures(run, tmp_path / "figures", anchor="jpeg")
    assert {path.stem for path in paths} == {"wap-curves", "relative-curve-difference"}
    assert caplog.messages[0].startswith("no figures of images: ")


def test_wrong_names_are_named(finished_run, tmp_path):
    with pytest.raises(
        UsageError, match=r"no image 'scene9\.png': it has scene0\.png, scene1\.png"
    ):
        draw_figures(finished_run.path, tmp_path, image="scene9.png")
    with pytest.raises(UsageError, match="no codec 'vvenc': it has jpeg, jpeg2000, uncompressed"):
        draw_figures(finished_run.path, tmp_path, codecs=["vvenc"])
    with pytest.raises(UsageError, match=r"holds no summary\.csv"):
        draw_figures(tmp_path, tmp_path)


def test_masks_are_drawn_for_the_codec_that_masks(masking_run, tmp_path):
    paths = draw_figures(masking_run.path, tmp_path, image="scene1.png", anchor="ncn")
    assert {"alpha-ncn-lsm-scene1.png.pdf", "laplace-ncn-lsm-scene1.png.svg"} <= names(paths)
    assert "masking-ncn-lsm-scene1.png.png" in names(paths)
    assert not any("alpha-ncn-scene1.png" in path.name for path in paths)


def test_an_explanation_is_that_of_the_bitstream(masking_run, weights):
    """Its bits are those that the file has; its masked latent follows the poster's equation."""
    image = np.asarray(PIL.Image.open(next(iter(open_pictures(masking_run))).path))
    for name in ("ncn", "ncn-lsm"):
        codec = open_codec(name, {"weights": str(weights)})
        point = codec.rate_points[0]
        its = codec.explain(image, point)
        assert its.latent.shape == (8, 16, 32) and its.stride == 16
        assert (its.alpha is None) == (name == "ncn")
        alpha = 0 if its.alpha is None else its.alpha
        wanted = its.latent - alpha * (its.latent - its.mean)
        np.testing.assert_allclose(its.masked, wanted, rtol=1e-5, atol=1e-5)
        assert its.bits_after.sum() <= 8 * len(codec.encode(image, point))
        assert its.bits_after.sum() <= its.bits_before.sum() * (1 + 1e-6)


def test_the_element_that_is_shown_saves_bits(masking_run, weights):
    image = np.asarray(PIL.Image.open(next(iter(open_pictures(masking_run))).path))
    codec = open_codec("ncn-lsm", {"weights": str(weights)})
    element = choose_element(codec.explain(image, codec.rate_points[0]))
    assert element.bits_after < element.bits_before
    assert abs(element.masked - element.mean) < abs(element.latent - element.mean)


def open_pictures(run):
    from benchmark.datasets import open_dataset

    return open_dataset(run.finished_manifest().dataset.spec).pictures


def test_masking_is_shown_where_nearly_all_is_still_found():
    rows = [("uncompressed", "bits24", 24, 50)]
    rows += [("ncn-lsm", f"lambda{bpp}", bpp, wap) for bpp, wap in ((1, 20), (2, 45), (3, 49))]
    summary = pd.DataFrame(rows, columns=["codec", "rate_point", "bpp", "wap"])
    assert lowest_good_rate(summary, "ncn-lsm") == "lambda2"
    assert lowest_good_rate(summary[summary["wap"] != 45], "ncn-lsm") == "lambda3"
    assert lowest_good_rate(summary[summary["bpp"].isin([1, 24])], "ncn-lsm") == "lambda1"
