"""Files are written under every name that the file system takes."""

from benchmark.system.files import LONGEST_NAME, short_name, write_whole


def test_the_longest_name_can_be_written(tmp_path):
    for name in ("x" * LONGEST_NAME, "長" * 85):
        write_whole(tmp_path / name, b"whole")
        assert (tmp_path / name).read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_name_is_cut_only_where_it_is_too_long_and_stays_its_own(tmp_path):
    assert short_name("image.png", ".svg") == "image.png.svg"
    assert short_name("x" * 251, ".svg") == "x" * 251 + ".svg"
    cut = {short_name("長" * 85 + end, ".svg") for end in "ab"}
    assert len(cut) == 2
    for name in cut:
        assert len(name.encode()) <= LONGEST_NAME
        assert name.startswith("長長")
        (tmp_path / name).write_bytes(b"")
