"""CompressAI's models with random weights: the contract, files of weights, what is refused."""

import hashlib

import numpy as np
import pytest
import torch
from compressai.registry import MODELS
from compressai.zoo.image import model_urls

from benchmark.codec import open_codec
from benchmark.contracts import check
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import CodecUnavailable

SMALL = {
    "bmshj2018-factorized": (8, 12),
    "bmshj2018-factorized-relu": (8, 12),
    "bmshj2018-hyperprior": (8, 12),
    "mbt2018-mean": (8, 12),
    "mbt2018": (8, 12),
    "cheng2020-anchor": (8,),
    "cheng2020-attn": (8,),
}
IMAGE = draw_scene(3).image[:130, :198]


def random_weights(architecture, seed=0):
    torch.manual_seed(seed)
    return MODELS[architecture](*SMALL[architecture]).state_dict()


def opened(path, architecture="bmshj2018-hyperprior"):
    return open_codec("compressai", {"architecture": architecture, "checkpoint": str(path)})


@pytest.fixture
def folder(tmp_path):
    for quality in (1, 2):
        weights = random_weights("bmshj2018-hyperprior", quality)
        torch.save(weights, tmp_path / f"quality{quality}.pth.tar")
    return tmp_path


def test_random_weights_keep_the_contract_of_a_codec(folder):
    results = list(check("compressai", {"checkpoint": str(folder)}))
    assert [result.line() for result in results if not result.passed] == []


@pytest.mark.parametrize("architecture", SMALL)
def test_every_architecture_comes_back_as_the_model_itself_decodes(architecture, tmp_path):
    file = tmp_path / "best.pth.tar"
    torch.save({"epoch": 3, "state_dict": random_weights(architecture)}, file)
    codec = opened(file, architecture)
    (point,) = codec.rate_points
    bitstream = codec.encode(IMAGE, point)
    decoded = opened(file, architecture).decode(bitstream)
    assert decoded.shape == IMAGE.shape and decoded.dtype == np.uint8

    model = MODELS[architecture].from_state_dict(random_weights(architecture)).eval()
    model.update(force=True)
    padded = np.pad(IMAGE, ((0, 62), (0, 58), (0, 0)), mode="edge")  # to 192 x 256
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        coded = model.compress(torch.tensor(padded).permute(2, 0, 1)[None] / 255)
        image = model.decompress(coded["strings"], coded["shape"])["x_hat"]
    torch.set_num_threads(threads)
    wanted = (image[0, :, :130, :198] * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(decoded, wanted)
    sizes = [len(its[0]) for its in coded["strings"]]
    assert len(bitstream) == sum(sizes) + 8 + 4 * (len(sizes) - 1)


def test_each_bitstream_names_the_weights_that_it_was_made_with(folder, tmp_path):
    codec = opened(folder)
    assert [point.name for point in codec.rate_points] == ["quality1", "quality2"]
    one, two = (codec.encode(IMAGE, point) for point in codec.rate_points)
    assert not np.array_equal(opened(folder).decode(one), opened(folder).decode(two))
    with pytest.raises(ValueError, match="made with other weights, or is damaged"):
        opened(folder / "quality1.pth.tar").decode(two)
    assert np.array_equal(opened(folder / "quality1.pth.tar").decode(one), codec.decode(one))


def test_the_identity_is_the_weights_not_where_they_lie(folder, tmp_path):
    (folder / "quality2.pth.tar").rename(folder / "other.pth.tar")
    (point,) = opened(folder / "quality1.pth.tar").rate_points
    alone, inside = opened(folder / "quality1.pth.tar"), opened(folder)
    assert alone.identity() == inside.identity()
    digest = hashlib.sha256((folder / "quality1.pth.tar").read_bytes()).hexdigest()
    assert alone.identity_at(point) == inside.identity_at(point) == {"weights": digest}
    assert opened(folder / "other.pth.tar").identity_at(point) != {"weights": digest}


def test_weights_of_the_zoo_are_taken_from_where_torch_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(CodecUnavailable, match="holds no weights of mbt2018: download some by"):
        open_codec("compressai", {"architecture": "mbt2018", "metric": "ms-ssim"})
    folder = tmp_path / "hub/checkpoints"
    folder.mkdir(parents=True)
    (folder / "mbt2018-1-00000000.pth.tar").touch()
    with pytest.raises(CodecUnavailable, match=r"no weights of mbt2018 for ms-ssim: .*https://"):
        open_codec("compressai", {"architecture": "mbt2018", "metric": "ms-ssim"})
    name = model_urls["bmshj2018-hyperprior"]["mse"][4].rpartition("/")[2]
    torch.save(random_weights("bmshj2018-hyperprior"), folder / name)
    with pytest.raises(CodecUnavailable, match=f"{name} is damaged"):
        open_codec("compressai")
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()[:8]
    named = f"bmshj2018-hyperprior-4-{digest}.pth.tar"
    (folder / name).rename(folder / named)
    monkeypatch.setitem(model_urls["bmshj2018-hyperprior"]["mse"], 4, f"https://there/{named}")
    codec = open_codec("compressai")
    assert [point.name for point in codec.rate_points] == ["quality4"]
    assert codec.decode(codec.encode(IMAGE, codec.rate_points[0])).shape == IMAGE.shape


def test_what_does_not_fit_is_refused_in_a_line(folder, tmp_path):
    with pytest.raises(CodecUnavailable, match="architecture is 'vgg', not one of bmshj2018-fact"):
        opened(folder, "vgg")
    with pytest.raises(CodecUnavailable, match="neither a file nor a folder of files named"):
        opened(tmp_path / "nothing")
    codec = opened(folder, "cheng2020-anchor")
    with pytest.raises(ValueError, match=r"quality1.pth.tar does not hold weights of cheng2020-an"):
        codec.encode(IMAGE, codec.rate_points[0])


class Evil:
    def __reduce__(self):
        return print, ("unpickled",)


def test_nothing_but_weights_is_unpickled(tmp_path, capsys):
    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth.tar")
    codec = opened(tmp_path / "evil.pth.tar")
    with pytest.raises(ValueError, match="does not hold weights"):
        codec.prepare(codec.rate_points[0])
    assert "unpickled" not in capsys.readouterr().out
