"""The three codecs, on small untrained networks: bitstreams, weights folders, identities."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from here_runner import HereRunner

from benchmark.codec import RatePoint, open_codec
from benchmark.codecs.ncn.bitstream import BitstreamError
from benchmark.codecs.ncn.network import NCN
from benchmark.codecs.ncn.published import from_published
from benchmark.codecs.ncn.weights_file import Description, Weights, load_weights, save_weights
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import CodecUnavailable, UsageError
from benchmark.run.experiment import Experiment, prepare
from benchmark.run.perform import perform
from benchmark.run.record import Record
from benchmark.run.run_folder import RunFolder

CODECS = ("ncn", "ncn-lsm", "ncn-lsm-ft")
BACKBONE_CHANNELS = 128  # of the embedded analysis network
POINTS = (0.5, 2.0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, published) -> Path:
    root = tmp_path_factory.mktemp("weights")
    for seed, value in enumerate(POINTS):
        network, _ = from_published(published(8, seed=seed))
        torch.manual_seed(seed)
        to_alpha = torch.nn.Conv2d(BACKBONE_CHANNELS, 8, 1)
        name = f"lambda{value:g}.safetensors"
        plain = Description(8, value, "", {})
        save_weights(root / "ncn" / name, Weights(network, None, plain))
        start = hashlib.sha256((root / "ncn" / name).read_bytes()).hexdigest()
        masked = Description(8, value, "miniscapes", {"start": start})
        save_weights(root / "ncn-lsm" / name, Weights(None, to_alpha, masked))
        save_weights(root / "ncn-lsm-ft" / name, Weights(network, to_alpha, masked))
    return root


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return draw_scene(3).image


def open_with(name: str, weights: Path):
    return open_codec(name, {"weights": str(weights)})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", CODECS)
def test_devices_decode_each_other_s_bitstreams(name: str, weights: Path, image) -> None:
    point = RatePoint("lambda", POINTS[0])
    here = open_with(name, weights)
    there = open_codec(name, {"weights": str(weights), "device": "cuda"})
    assert "device" in there.identity()
    for encoder, other in ((here, there), (there, here)):
        bitstream = encoder.encode(image, point)
        assert abs(len(bitstream) / len(here.encode(image, point)) - 1) < 0.001
        apart = encoder.decode(bitstream).astype(int) - other.decode(bitstream)
        assert np.abs(apart).max() <= 1


def test_a_device_that_is_not_there_is_named(weights: Path) -> None:
    with pytest.raises(CodecUnavailable, match="device=tpu: cpu or cuda"):
        open_codec("ncn", {"weights": str(weights), "device": "tpu"})
    if not torch.cuda.is_available():
        with pytest.raises(CodecUnavailable, match="finds no CUDA device"):
            open_codec("ncn", {"weights": str(weights), "device": "cuda"})


@pytest.mark.parametrize("name", CODECS)
def test_images_come_back_in_another_object(name: str, weights: Path, image: np.ndarray) -> None:
    for size in ((256, 512), (100, 150), (2, 2)):
        part = image[: size[0], : size[1]]
        for value in POINTS:
            point = RatePoint("lambda", value)
            bitstream = open_with(name, weights).encode(part, point)
            decoded = open_with(name, weights).decode(bitstream)
            assert decoded.shape == part.shape and decoded.dtype == np.uint8
            assert bitstream == open_with(name, weights).encode(part, point)


def test_rate_points_are_the_weights(weights: Path) -> None:
    for name in CODECS:
        codec = open_with(name, weights)
        assert [point.name for point in codec.rate_points] == ["lambda0.5", "lambda2"]


def test_what_is_coded_is_what_the_network_says(weights: Path, image: np.ndarray) -> None:
    network = load_weights(weights / "ncn/lambda2.safetensors").network
    assert network is not None
    pixels = torch.tensor(image).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        coded = network(pixels)
    codec = open_with("ncn", weights)
    bitstream = codec.encode(image, RatePoint("lambda", 2.0))
    wanted = (coded.images[0] * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    # a latent next to a half may be rounded otherwise by another order of sums
    assert np.mean(codec.decode(bitstream) != wanted) < 1e-3
    assert 8 * len(bitstream) == pytest.approx(float(coded.bits), rel=0.02)


def test_a_masked_bitstream_decodes_with_the_plain_decoder(
    weights: Path, image: np.ndarray, tmp_path: Path
) -> None:
    shutil.copytree(weights / "ncn", tmp_path / "ncn")
    point = RatePoint("lambda", 0.5)
    masked = open_with("ncn-lsm", weights).encode(image, point)
    plain = open_with("ncn", weights).encode(image, point)
    assert masked != plain
    decoded = open_with("ncn", tmp_path).decode(masked)
    assert np.array_equal(decoded, open_with("ncn-lsm", weights).decode(masked))


def test_masking_with_alpha_zero_changes_nothing(
    weights: Path, image: np.ndarray, tmp_path: Path
) -> None:
    shutil.copytree(weights, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "ncn-lsm/lambda2.safetensors"
    stored = load_weights(path)
    assert stored.to_alpha is not None
    torch.nn.init.zeros_(stored.to_alpha.weight)
    torch.nn.init.constant_(stored.to_alpha.bias, -200)
    save_weights(path, stored)
    point = RatePoint("lambda", 2.0)
    assert open_with("ncn-lsm", tmp_path).encode(image, point) == open_with("ncn", weights).encode(
        image, point
    )


def test_other_weights_are_another_codec(weights: Path, image: np.ndarray, tmp_path: Path) -> None:
    before = open_with("ncn", weights)
    shutil.copytree(weights, tmp_path, dirs_exist_ok=True)
    torch.manual_seed(9)
    for path in (tmp_path / "ncn").iterdir():
        save_weights(path, Weights(NCN(8), None, Description(8, 1, "", {})))
    after = open_with("ncn", tmp_path)
    point = RatePoint("lambda", 2.0)
    assert after.identity_at(point) != before.identity_at(point)
    bitstream = before.encode(image, point)
    with pytest.raises(BitstreamError, match="made with other weights"):
        after.decode(bitstream)
    with pytest.raises(UsageError, match="trained on another NCN"):
        open_with("ncn-lsm", tmp_path).encode(image, RatePoint("lambda", 2.0))


@pytest.mark.parametrize("name", ["ncn", "ncn-lsm"])
def test_a_run_takes_weights_of_further_rate_points(name: str, weights: Path, tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    PIL.Image.fromarray(draw_scene(3).image[:64, :64]).save(tmp_path / "photos/a.png")
    few = tmp_path / "weights"
    shutil.copytree(weights, few)
    for kind in ("ncn", "ncn-lsm"):
        (few / kind / "lambda2.safetensors").unlink()

    def run(out: str, bitstreams: Path | None = None) -> dict[str, Record]:
        experiment = Experiment(
            dataset=f"images:{tmp_path}/photos", codecs=[name], analysis=None,
            codec_options={name: {"weights": str(few)}}, bitstreams=bitstreams,
        )  # fmt: skip
        opened = prepare(experiment, tmp_path / out, "local", 1)
        assert not perform(replace(opened, runner=HereRunner())).outcome.failures
        records = RunFolder(tmp_path / out).records()
        return {its.rate_point: its for its in records if its.codec == name}

    first = run("run")
    assert list(first) == ["lambda0.5"]
    shutil.copytree(weights, few, dirs_exist_ok=True)
    second = run("run")
    assert second.items() > first.items() and list(second) == ["lambda0.5", "lambda2"]

    trained_on = few / name / "lambda0.5.safetensors"
    stored = load_weights(trained_on)
    description = replace(stored.description, training={**stored.description.training, "steps": 9})
    save_weights(trained_on, replace(stored, description=description))
    with pytest.raises(UsageError, match=f"another codec {name}: {{'lambda0.5': {{'weights'"):
        run("run")
    third = run("other", bitstreams=tmp_path / "run")
    assert third["lambda2"].encode_s == second["lambda2"].encode_s
    assert third["lambda0.5"].encode_s != second["lambda0.5"].encode_s


def test_missing_weights_are_named(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(CodecUnavailable, match=r"no weights of ncn: ncn/lambdaVALUE\.safetensors"):
        open_with("ncn", tmp_path)
    shutil.copytree(weights / "ncn-lsm", tmp_path / "ncn-lsm")
    with pytest.raises(CodecUnavailable, match=r"ncn/lambda\S+\.safetensors is missing"):
        open_with("ncn-lsm", tmp_path)
    (tmp_path / "ncn").mkdir()
    (tmp_path / "ncn/lambdaX.safetensors").touch()
    with pytest.raises(CodecUnavailable, match="is not named"):
        open_with("ncn", tmp_path)


def test_published_checkpoints_are_rate_points(
    tmp_path: Path, image: np.ndarray, published
) -> None:
    common = "ncn_maskLoss_CS_"
    for number, value in enumerate(("0_02", "0_2")):
        name = f"{common}lambda_{value}.pth.tar"
        torch.save(published(8, seed=number), tmp_path / name)
        name = f"{common}maskLatentSpaceNonFrozen_resnetCS_lambda_{value}.pth.tar"
        torch.save(published(8, seed=number, lsmnet=True), tmp_path / name)
    torch.save({}, tmp_path / "ncn_hvsLoss_CS_lambda_0_02.pth.tar")
    for name in ("ncn", "ncn-lsm-ft"):
        codec = open_codec(name, {"checkpoints": str(tmp_path)})
        assert [point.name for point in codec.rate_points] == ["lambda0.02", "lambda0.2"]
        decoder = open_codec(name, {"checkpoints": str(tmp_path)})
        part = image[:64, :128]
        for point in codec.rate_points:
            assert decoder.decode(codec.encode(part, point)).shape == part.shape
    with pytest.raises(CodecUnavailable, match=r"no weights of ncn-lsm: .*; none were published"):
        open_codec("ncn-lsm", {"checkpoints": str(tmp_path)})
    shutil.copy(
        tmp_path / f"{common}lambda_0_02.pth.tar", tmp_path / f"{common}a_lambda_0_02.pth.tar"
    )
    with pytest.raises(CodecUnavailable, match=r"both claim lambda0\.02 of ncn"):
        open_codec("ncn", {"checkpoints": str(tmp_path)})
    nothing = tmp_path / "nothing"
    with pytest.raises(CodecUnavailable, match="is no folder"):
        open_codec("ncn-lsm-ft", {"checkpoints": str(nothing)})
    nothing.mkdir()
    with pytest.raises(CodecUnavailable, match=r"no weights of ncn-lsm-ft: .*, or published ncn"):
        open_codec("ncn-lsm-ft", {"checkpoints": str(nothing)})
