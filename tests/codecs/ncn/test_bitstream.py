"""The container: its size, and what is no NCN bitstream."""

import random

import pytest

from benchmark.codecs.ncn.bitstream import BitstreamError, Header, pack, unpack

PAYLOAD = bytes(range(20))
SIZES = [(2, 2), (64, 64), (256, 512), (1024, 1024), (1024, 2048), (16384, 2048), (2, 16384)]


@pytest.mark.parametrize(("height", "width"), [*SIZES, (66, 64), (1088, 64), (898, 1600)])
@pytest.mark.parametrize("fingerprint", [b"\0\0", b"\xff\xff", b"ab"])
def test_unpacking_gives_what_was_packed(height, width, fingerprint) -> None:
    header = Header(fingerprint, height, width)
    assert unpack(pack(header, PAYLOAD)) == (header, PAYLOAD)


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(256, 512, 4), (1024, 1024, 4), (1024, 2048, 5), (64, 16384, 5), (320, 482, 7)],
)
def test_the_header_takes_few_bytes(height, width, size) -> None:
    assert len(bytes(Header(b"ab", height, width))) == size


@pytest.mark.parametrize(
    ("height", "width"), [(0, 64), (64, -2), (65, 64), (64, 101), (16386, 2), (4096, 8194)]
)
def test_an_image_of_impossible_size_is_refused(height, width) -> None:
    with pytest.raises(BitstreamError, match=f"cannot hold an image of {width} x {height}"):
        Header(b"ab", height, width)


def test_a_stored_size_that_is_impossible_is_refused() -> None:
    start = bytes(Header(b"ab", 66, 66))[:3]
    for stored in (b"\xff\xff\x00\x00", b"\x20\x00\x00\x01", b"\x1f\xff\x1f\xff"):
        with pytest.raises(BitstreamError, match="cannot hold an image of"):
            unpack(start + stored + PAYLOAD)
    with pytest.raises(BitstreamError, match="its size has a shorter form"):
        unpack(start + b"\x00\x1f\x00\x1f" + PAYLOAD)


def test_a_fingerprint_has_two_bytes() -> None:
    with pytest.raises(ValueError, match="a fingerprint of 3 bytes"):
        Header(b"abc", 64, 64)


@pytest.mark.parametrize(
    "foreign", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"{}", b"\0\0\0\1", b"\x9f" * 40]
)
def test_foreign_files_are_refused(foreign) -> None:
    with pytest.raises(BitstreamError, match="no bitstream of the NCN codec"):
        unpack(foreign)


@pytest.mark.parametrize(("height", "width"), [(256, 512), (1024, 2048), (66, 64)])
def test_what_ends_before_the_payload_is_refused(height, width) -> None:
    bitstream = pack(Header(b"ab", height, width), PAYLOAD[:5])
    unpack(bitstream)
    for length in range(1, len(bitstream)):
        with pytest.raises(BitstreamError, match=f"truncated: it has {length} bytes"):
            unpack(bitstream[:length])


def check_mutated(number: int) -> None:
    """What can be unpacked is exactly what packs to the same bytes."""
    generator = random.Random(0)
    refused = 0
    for _ in range(number):
        height, width = generator.choice([*SIZES, (66, 64)])
        bitstream = bytearray(pack(Header(generator.randbytes(2), height, width), PAYLOAD))
        for _ in range(generator.randint(1, 3)):
            bitstream[generator.randrange(8)] = generator.randrange(256)
        mutated = bytes(bitstream[: generator.randint(1, 30)])
        try:
            header, payload = unpack(mutated)
        except BitstreamError:
            refused += 1
        else:
            assert pack(header, payload) == mutated
    assert number / 10 < refused < number


def test_mutated_bitstreams_are_refused_or_what_they_say() -> None:
    check_mutated(2000)


@pytest.mark.long
def test_many_mutated_bitstreams_are_refused_or_what_they_say() -> None:
    check_mutated(10_000)
