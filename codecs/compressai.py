"""The learned codecs of CompressAI: its zoo's weights, or a checkpoint of one's own.

CompressAI's own ``compress`` and ``decompress`` code the images. What they do is floating-point
arithmetic, on which the entropy decoder's tables depend: **a file decodes only on the same kind of
machine, with the same versions of torch and CompressAI.** On another one it gives noise, or an
error. (The NCNs of this project do not have that limit.) All is computed on one thread.

mbt2018 and the cheng2020 models code position by position. An image of 512 x 256 took them 3 to 5 s
each way, bmshj2018-hyperprior 0.3 to 0.4 s (processor time, random weights of quality 4);
``python -m benchmark plan`` measures it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.codec import Codec, RatePoint
from benchmark.complexity import Complexity, count_kmac, count_parameters
from benchmark.errors import CodecUnavailable
from benchmark.image import Image, images_tensor

_ARCHITECTURES = (
    "bmshj2018-factorized", "bmshj2018-factorized-relu", "bmshj2018-hyperprior", "mbt2018-mean",
    "mbt2018", "cheng2020-anchor", "cheng2020-attn",
)  # fmt: skip
"""Those of one rate a model, as CompressAI calls them."""

_UNIT = 64
"""Sides are padded to multiples of this, whatever the architecture."""

_SIZE = struct.Struct(">HHI")
"""Height and width in pixels, and the checksum of weights and payload."""

_LENGTH = struct.Struct(">I")
_MOST_PIXELS = 2**25
_NAMED = re.compile(r"(quality|lambda)[-_]?(\d+(?:\.\d+)?)\.pth(?:\.tar)?")
_PICKLE_ERRORS = (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError)


class CompressAI(Codec):
    """A model of CompressAI, with weights of its zoo or of a checkpoint.

    A bitstream is height and width (2 bytes each), a checksum of weights and payload (4), then
    CompressAI's strings, each but the last behind its length (4).

    Args:
        architecture: bmshj2018-factorized, bmshj2018-factorized-relu, bmshj2018-hyperprior,
            mbt2018-mean, mbt2018, cheng2020-anchor or cheng2020-attn.
        metric: mse or ms-ssim, what the zoo's weights were trained for.
        checkpoint: instead of the zoo's weights, a file of weights, which is the rate point
            quality1; or a folder of files named ``qualityN.pth.tar`` or ``lambdaN.pth.tar``, which
            are a rate point each (``.pth`` will do).
    """

    name = "compressai"

    def __init__(
        self,
        architecture: str = "bmshj2018-hyperprior",
        metric: str = "mse",
        checkpoint: str = "",
    ) -> None:
        for option, value, known in (
            ("architecture", architecture, _ARCHITECTURES),
            ("metric", metric, ("mse", "ms-ssim")),
        ):
            if value not in known:
                raise CodecUnavailable(
                    f"option compressai.{option} is {value!r}, not one of {', '.join(known)}"
                )
        self._architecture, self._of_zoo = architecture, not checkpoint
        self._files = (
            _own(Path(checkpoint).expanduser()) if checkpoint else _of_zoo(architecture, metric)
        )
        self.rate_points = tuple(sorted(self._files, key=lambda point: point.value))
        self._hashes = {
            point: hashlib.sha256(path.read_bytes()).digest() for point, path in self._files.items()
        }
        if self._of_zoo:
            self._check_zoo()
        self._models: dict[RatePoint, Any] = {}

    def _check_zoo(self) -> None:
        for point, path in self._files.items():  # the names end in the first digits of the hash
            if not self._hashes[point].hex().startswith(path.name.split(".")[0].split("-")[-1]):
                raise CodecUnavailable(f"{path} is damaged: take it away and download it again")

    def identity(self) -> dict[str, str]:
        versions = {name: importlib.metadata.version(name) for name in ("torch", "compressai")}
        return {"architecture": self._architecture, **versions}

    def identity_at(self, rate_point: RatePoint) -> dict[str, str]:
        return {"weights": self._hashes[rate_point].hex()}

    def prepare(self, rate_point: RatePoint) -> None:
        self._model(rate_point)

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        height, width = image.shape[:2]
        if max(height, width) > 0xFFFF or height * width > _MOST_PIXELS:
            raise ValueError(f"an image of {width} x {height} has more than {_MOST_PIXELS} pixels")
        below, right = (-side % _UNIT for side in (height, width))
        padded = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
        with _alone():
            coded = self._model(rate_point).compress(images_tensor([padded]))
        *first, last = (strings[0] for strings in reversed(coded["strings"]))
        payload = b"".join([*(_LENGTH.pack(len(its)) + its for its in first), last])
        return _SIZE.pack(height, width, self._checksum(rate_point, payload)) + payload

    def decode(self, bitstream: bytes) -> Image:
        if len(bitstream) < _SIZE.size:
            raise ValueError(f"a CompressAI bitstream of {len(bitstream)} bytes is truncated")
        height, width, checksum = _SIZE.unpack_from(bitstream)
        payload = bitstream[_SIZE.size :]
        known = [its for its in self.rate_points if self._checksum(its, payload) == checksum]
        if not known or not 0 < height * width <= _MOST_PIXELS:
            raise ValueError("the bitstream was made with other weights, or is damaged")
        model = self._model(known[0])
        strings: list[list[bytes]] = []
        while len(strings) < _strings_of(model) - 1:
            (length,) = _LENGTH.unpack_from(payload)
            strings.append([payload[_LENGTH.size : _LENGTH.size + length]])
            payload = payload[_LENGTH.size + length :]
        strings.append([payload])
        shape = [-(-side // _UNIT) * _UNIT // model.downsampling_factor for side in (height, width)]
        with _alone():
            decoded = model.decompress(strings[::-1], shape)["x_hat"][0, :, :height, :width]
        samples = (decoded * 255).round().clamp(0, 255).byte()
        return np.ascontiguousarray(samples.permute(1, 2, 0).numpy())

    def complexity(self, rate_point: RatePoint) -> Complexity:
        """What the model computes; counted while it codes a black square."""
        model = self._model(rate_point)
        square = images_tensor([np.zeros((_UNIT, _UNIT, 3), np.uint8)])
        with _alone():
            coded = model.compress(square)
            encoder = count_kmac(lambda: model.compress(square), _UNIT**2)
            decoder = count_kmac(lambda: model.decompress(**coded), _UNIT**2)
        parts = dict(model.named_children())
        return Complexity(
            count_parameters(part for name, part in parts.items() if name != "g_s"),
            count_parameters(part for name, part in parts.items() if name not in ("g_a", "h_a")),
            encoder,
            decoder,
        )

    def _checksum(self, rate_point: RatePoint, payload: bytes) -> int:
        return zlib.crc32(payload, zlib.crc32(self._hashes[rate_point]))

    def _model(self, rate_point: RatePoint) -> Any:
        if rate_point not in self._models:
            path = self._files[rate_point]
            self._models[rate_point] = _load(path, self._architecture, tables=not self._of_zoo)
        return self._models[rate_point]


def _strings_of(model: Any) -> int:
    """How many strings an image is coded as: one for y, and one for z where there is one."""
    return 2 if hasattr(model, "gaussian_conditional") else 1


def _of_zoo(architecture: str, metric: str) -> dict[RatePoint, Path]:
    """The zoo's weights that were downloaded before.

    Raises:
        CodecUnavailable: if there are none, with their addresses.
    """
    home = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    cache = os.environ.get("TORCH_HOME", f"{home}/torch")
    folder = Path(cache, "hub/checkpoints").expanduser()
    if not any(folder.glob(f"{architecture}-*.pth.tar")):  # else to list codecs would need torch
        raise CodecUnavailable(
            f'{folder} holds no weights of {architecture}: download some by `python -c "from '
            f"compressai.zoo import image_models; image_models['{architecture}'](quality=1, "
            'pretrained=True)"`, or give others by --option compressai.checkpoint=PATH'
        )
    from compressai.zoo.image import model_urls

    urls: dict[int, str] = model_urls.get(architecture, {}).get(metric, {})
    if not urls:
        raise CodecUnavailable(
            f"CompressAI has no weights of {architecture} for {metric}: give some by --option "
            "compressai.checkpoint=PATH"
        )
    files = {quality: folder / url.rpartition("/")[2] for quality, url in urls.items()}
    found = {RatePoint("quality", quality): its for quality, its in files.items() if its.is_file()}
    if not found:
        raise CodecUnavailable(
            f"{folder} holds no weights of {architecture} for {metric}: those are at "
            f"{' '.join(urls.values())}"
        )
    return found


def _own(path: Path) -> dict[RatePoint, Path]:
    """The files of weights of one's own, by their rate points.

    Raises:
        CodecUnavailable: if there are none, or two are of one rate point.
    """
    if path.is_file():
        return {RatePoint("quality", 1): path}
    found: dict[RatePoint, Path] = {}
    for file in sorted(path.glob("*.pth*")):
        if name := _NAMED.fullmatch(file.name):
            point = RatePoint(name[1], float(name[2]))
            if point in found:
                raise CodecUnavailable(f"{found[point]} and {file} are both {point.name}")
            found[point] = file
    if not found:
        raise CodecUnavailable(
            f"option compressai.checkpoint: {path} is neither a file nor a folder of files named "
            "qualityN.pth.tar or lambdaN.pth.tar"
        )
    return found


def _load(path: Path, architecture: str, tables: bool) -> Any:
    """A model in evaluation mode; nothing but tensors and plain values is read from its file.

    Args:
        path: of the weights, or of a training's checkpoint that has them as ``state_dict``.
        architecture: of the model.
        tables: whether the entropy coder's tables are made anew, as CompressAI does for all but
            its zoo's weights.

    Raises:
        ValueError: if the file does not hold such weights.
    """
    import pickle

    import torch
    from compressai.registry import MODELS
    from compressai.zoo import load_state_dict

    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        weights = load_state_dict(stored.get("state_dict", stored))
        model = MODELS[architecture].from_state_dict(weights)
    except (*_PICKLE_ERRORS, AttributeError, pickle.UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{path} does not hold weights of {architecture}: {reason}") from error
    with _alone():
        model.update(force=tables)
    return model.eval()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Compute on one thread, without gradients and without remarks on speed."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)
