"""VTM-10.0 for real: needs VTM_ENCODER, VTM_DECODER and VTM_CONFIG (``pytest -m long``)."""

import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from benchmark.codec import CodecUnavailable, open_codec
from benchmark.datasets import open_dataset
from benchmark.datasets.dataset import read_image

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def vtm():
    try:
        return open_codec("vtm")
    except CodecUnavailable as reason:
        pytest.skip(str(reason))


def vtm_samples(vtm, bitstream):
    """What VTM's decoder writes, in the 10 bits that VTM computes with."""
    with tempfile.TemporaryDirectory() as folder:
        source, decoded = Path(folder, "in.bin"), Path(folder, "out.yuv")
        source.write_bytes(bitstream)
        program = [vtm.decoder, "-b", source, "-o", decoded, "-d", "10"]
        subprocess.run(program, check=True, capture_output=True)
        return decoded.read_bytes()


def ffmpeg_samples(bitstream):
    """What ffmpeg's own VVC decoder makes of it."""
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "vvc", "-i", "pipe:"]
    output = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "pipe:"]
    return subprocess.run(program + output, input=bitstream, check=True, capture_output=True).stdout


def test_ffmpeg_decodes_our_vtm_bitstreams_to_vtms_own_output(vtm):
    point = vtm.rate_point("qp52")
    for picture in open_dataset("miniscapes").pictures:
        bitstream = vtm.encode(read_image(picture.path), point)
        assert vtm_samples(vtm, bitstream) == ffmpeg_samples(bitstream), picture.name


def test_a_size_that_is_no_multiple_of_8_comes_back(vtm):
    image = read_image(open_dataset("miniscapes").pictures[0].path)[:98, :150]
    bitstream = vtm.encode(image, vtm.rate_point("qp40"))
    decoded = open_codec("vtm").decode(bitstream)
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).mean() < 20


def test_the_same_image_gives_the_same_bits_and_extra_arguments_change_them(vtm):
    image = read_image(open_dataset("miniscapes").pictures[0].path)[:64, :128]
    point = vtm.rate_point("qp40")
    assert vtm.encode(image, point) == vtm.encode(image, point)
    other = open_codec("vtm", {"extra": "--ALF=0 --SAO=0"})
    assert other.encode(image, point) != vtm.encode(image, point)
    assert other.identity() != vtm.identity()
