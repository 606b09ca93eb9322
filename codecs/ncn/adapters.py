"""The adapters of the NCN: alone, with LSMnet, and fine-tuned with LSMnet."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.codec import CodecUnavailable, Image, RatePoint, TrainableCodec

from .bitstream import BitstreamError, fingerprint, unpack

if TYPE_CHECKING:
    from .coder import ImageCoder

# torch and CompressAI take seconds to import, and listing the codecs does not need them: modules
# that import them are imported where they are used.

_WEIGHTS = Path(__file__).parent / "weights"
_PREFIX = "lambda"


class _NcnCodec(TrainableCodec):
    """An NCN with weights of its own at each rate point, which is named by their lambda."""

    def __init__(self, weights: str = str(_WEIGHTS)) -> None:
        """Lists the weights.

        Args:
            weights: a folder that has a folder for each codec of this family, with a file
                ``lambdaVALUE.safetensors`` for each rate point.

        Raises:
            CodecUnavailable: if there are none.
        """
        folder = Path(weights) / self.name
        self._files = {_rate_point(path): path for path in folder.glob(f"{_PREFIX}*.safetensors")}
        if not self._files:
            raise CodecUnavailable(
                f"there are no weights {_PREFIX}*.safetensors in {folder}: train some "
                f"(`python -m benchmark train {self.name} --help`)"
            )
        self.rate_points = tuple(sorted(self._files, key=lambda point: point.value))
        self._decoders = {point: self._decoder(path) for point, path in self._files.items()}
        self._hashes = {point: _hash(path) for point, path in self._decoders.items()}
        self._coders: dict[RatePoint, ImageCoder] = {}

    def _decoder(self, path: Path) -> Path:
        """The file that holds the NCN of a weights file."""
        return path

    def encode(self, image: Image, rate_point: RatePoint) -> bytes:
        return self._coder(rate_point).encode(image)

    def decode(self, bitstream: bytes) -> Image:
        header, _ = unpack(bitstream)
        for rate_point, weights in self._hashes.items():
            if header.fingerprint == fingerprint(weights, header.height, header.width):
                return self._coder(rate_point).decode(bitstream)
        raise BitstreamError(
            f"the bitstream was made with other weights than {self.name} has, or is damaged"
        )

    def _coder(self, rate_point: RatePoint) -> ImageCoder:
        from .coder import ImageCoder
        from .weights_file import load_ncn

        if rate_point not in self._coders:
            network, lsmnet = load_ncn(self._files[rate_point], self._decoders[rate_point])
            self._coders[rate_point] = ImageCoder(network, lsmnet, self._hashes[rate_point])
        return self._coders[rate_point]

    def identity(self) -> dict[str, str]:
        from .weights_file import backbones_of

        files = {path for paths in (self._files, self._decoders) for path in paths.values()}
        weights = hashlib.sha256("".join(sorted(map(_hash, files))).encode())
        versions = {name: importlib.metadata.version(name) for name in ("torch", "compressai")}
        return {
            "weights": weights.hexdigest(),
            **versions,
            **backbones_of(self._files.values()),
        }

    @classmethod
    def add_training_options(cls, parser: argparse.ArgumentParser) -> None:
        from .train_command import add_options

        add_options(parser, cls.name)

    @classmethod
    def train(cls, options: argparse.Namespace) -> Path:
        from .train_command import train

        return train(options, cls.name)


class Ncn(_NcnCodec):
    """The NCN without LSMnet."""

    name = "ncn"


class NcnLsm(_NcnCodec):
    """An LSMnet, of which only the 1x1 convolution is trained, on the NCNs of `Ncn`."""

    name = "ncn-lsm"

    def _decoder(self, path: Path) -> Path:
        decoder = path.parent.parent / Ncn.name / path.name
        if not decoder.is_file():
            raise CodecUnavailable(f"{decoder} is missing: {path} masks the latents of that NCN")
        return decoder


class NcnLsmFt(_NcnCodec):
    """NCN and LSMnet trained together."""

    name = "ncn-lsm-ft"


def _rate_point(path: Path) -> RatePoint:
    value = path.name.removeprefix(_PREFIX).removesuffix(".safetensors")
    try:
        return RatePoint(_PREFIX, float(value))
    except ValueError as error:
        raise CodecUnavailable(f"{path} is not named {_PREFIX}VALUE.safetensors") from error


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
