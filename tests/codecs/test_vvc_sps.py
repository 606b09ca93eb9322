"""The picture size in VVC streams: real ones, and one set with every optional part present."""

import numpy as np
import pytest

from benchmark.codec import open_codec
from benchmark.codecs.vvc_sps import picture_size


def exp_golomb(number):
    digits = f"{number + 1:b}"
    return "0" * (len(digits) - 1) + digits


def nal_unit(payload_bits):
    """A sequence parameter set NAL unit: trailing bits and emulation prevention added."""
    padded = payload_bits + "1" + "0" * (-(len(payload_bits) + 1) % 8)
    payload = bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8))
    protected, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            protected.append(3)
            zeros = 0
        protected.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\x00\x00\x00\x01\x00" + bytes([15 << 3 | 1]) + bytes(protected)


@pytest.mark.parametrize("size", [(64, 64), (130, 96), (202, 150), (18, 34)])
def test_sizes_of_libvvenc_streams(size):
    width, height = size
    codec = open_codec("vvenc")
    image = np.full((height, width, 3), 90, np.uint8)
    assert picture_size(codec.encode(image, codec.rate_points[0])) == size


def test_the_size_of_a_vtm_stream():
    # Start of a stream of VTM-10.0 (-wdt 98 -hgt 66 --ConformanceWindowMode=1): SPS, then PPS.
    stream = bytes.fromhex(
        "000000010079000d02008000c069024e490d407d11ba211a214991b84d8a3150c1be1571fc1f8c4080"
        "0000000100810000690248a4200207b0200000"
    )
    assert picture_size(stream) == (98, 66)


def test_constraints_sublayers_and_sub_profiles_are_skipped():
    profile = "0000001" + "0" + f"{51:08b}" + "10"
    profile += "1" + "0" * 71 + f"{3:08b}" + "000"  # constraint information, 3 reserved bits
    before = len("0000000001001101") + len(profile)
    profile += "0" * (-before % 8)
    profile += "10" + "000000" + f"{48:08b}"  # levels of one of two sublayers
    profile += f"{2:08b}" + "0" * 32 + "1" * 32  # two sub-profiles
    size = exp_golomb(208) + exp_golomb(152)
    window = "1" + "".join(exp_golomb(offset) for offset in (1, 2, 0, 1))
    unit = nal_unit("0000000001001101" + profile + "0" + "11" + size + window)
    assert b"\x00\x00\x03" in unit
    assert picture_size(unit) == (208 - 6, 152 - 2)


@pytest.mark.parametrize("stream", [b"", bytes(40), b"\x00\x00\x01\x00\x79\x00"])
def test_what_holds_no_size_is_refused(stream):
    with pytest.raises(ValueError, match="VVC sequence parameter set"):
        picture_size(stream)
