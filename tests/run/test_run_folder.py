"""The run folder keeps what is whole and drops what is not."""

import json

import pytest
from makers import BITS, make_manifest, make_record

from benchmark.analysis.analysis_network import Detection
from benchmark.errors import UsageError
from benchmark.run.record import replaced
from benchmark.run.run_folder import RunFolder


def record(image=0, rate_point="qp32", detections=2):
    return make_record(
        rate_point=rate_point, image=f"image{image}", image_id=image, detections=detections
    )


def found(number):
    return [
        Detection(26, 0.9 - 0.1 * i, (1.0, 2.0, 3.0, 4.0), (32, 64), "abc") for i in range(number)
    ]


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.write_manifest(make_manifest())
    for image in range(4):
        folder.add(record(image), BITS, found(2))
    folder.add(record(4, detections=0), BITS, [])
    return folder


def detections_file(folder):
    return folder.path / "detections/some/qp32.json"


def test_what_is_added_can_be_read(folder):
    without = [replaced(its, detections_sha256="") for its in folder.records()]
    assert without == [record(image) for image in range(4)] + [record(4, detections=0)]
    assert folder.detections("some", "qp32") == {image: found(2) for image in range(4)}
    assert (folder.path / "bitstreams/some/qp32/image3").read_bytes() == BITS


def test_detections_are_valid_json_after_each_image(folder):
    entries = json.loads(detections_file(folder).read_text())
    assert [entry["image_id"] for entry in entries] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_mending_a_whole_run_changes_nothing(folder):
    def files():
        found = [path for path in folder.path.rglob("*") if path.is_file()]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}

    folder.mend()  # sorts
    before = files()
    assert len(folder.mend()) == 5
    assert files() == before


@pytest.mark.parametrize("lost", range(2, 60, 7))
def test_a_half_written_record_is_done_again(folder, lost):
    file = folder.path / "records.jsonl"
    file.write_bytes(file.read_bytes()[:-lost])
    assert [r.image_id for r in folder.mend()] == [0, 1, 2, 3]
    folder.add(record(4, detections=0), BITS, [])
    assert len(folder.mend()) == 5


@pytest.mark.parametrize("lost", [1, 2, 3, 20, 150])
def test_half_written_detections_are_done_again(folder, lost):
    file = detections_file(folder)
    file.write_bytes(file.read_bytes()[:-lost])
    trusted = folder.mend()
    if lost <= 3:
        assert len(trusted) == 5
    else:
        assert [r.image_id for r in trusted] == [0, 1, 2, 4]
        folder.add(record(3), BITS, found(2))
    assert folder.detections("some", "qp32") == {image: found(2) for image in range(4)}
    json.loads(file.read_text())


def test_detections_without_a_record_do_not_count_twice(folder):
    (folder.path / "records.jsonl").write_text("")
    assert folder.mend() == []
    folder.add(record(0), BITS, found(2))
    assert folder.detections("some", "qp32") == {0: found(2)}


@pytest.mark.parametrize("damage", [lambda f: f.unlink(), lambda f: f.write_bytes(BITS[:-1])])
def test_a_lost_or_damaged_bitstream_is_made_again(folder, damage):
    damage(folder.path / "bitstreams/some/qp32/image2")
    assert [r.image_id for r in folder.mend()] == [0, 1, 3, 4]


def test_records_are_sorted_whatever_the_order_they_came_in(folder):
    folder.add(record(0, "qp22"), BITS, found(2))
    folder.mend()
    assert [r.key for r in folder.records()] == sorted(r.key for r in folder.records())


def test_the_original_images_need_no_bitstream(folder):
    original = replaced(record(7), codec="uncompressed", sha256="")
    folder.add(original, None, found(2))
    assert original.key in [its.key for its in folder.mend()]


@pytest.mark.parametrize("way", [("0.9,", "0.8,"), ("26", "24"), ('"abc"', '"abd"')])
def test_altered_detections_are_done_again(folder, way):
    file = detections_file(folder)
    file.write_text(file.read_text().replace(*way, 1))
    assert [r.image_id for r in folder.mend()] == [1, 2, 3, 4]


@pytest.mark.parametrize("way", [('"psnr": 30', '"psnr": 39'), ('"width": 6', '"width": 8')])
def test_an_altered_record_is_done_again(folder, way):
    file = folder.path / "records.jsonl"
    file.write_text(file.read_text().replace(*way, 1))
    assert [r.image_id for r in folder.mend()] == [1, 2, 3, 4]


def test_a_record_of_a_former_version_is_trusted_without_a_check(folder):
    file = folder.path / "records.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        assert line.pop("check") and line.pop("detections_sha256")
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(folder.mend()) == 5


def test_a_line_that_nobody_can_read_does_not_keep_its_image_from_being_done(folder):
    file = folder.path / "records.jsonl"
    first, *others = file.read_text().splitlines(keepends=True)
    values = json.loads(first)
    values["wjdth"] = values.pop("width")
    del values["check"]
    file.write_text("".join([json.dumps(values) + "\n", *others]))
    assert [r.image_id for r in folder.mend()] == [1, 2, 3, 4]
    folder.add(record(0), BITS, found(2))
    assert [r.image_id for r in folder.mend()] == [0, 1, 2, 3, 4]
    assert "wjdth" in file.read_text()
    assert folder.detections("some", "qp32")[0] == found(2)


def test_unfinished_files_are_removed(folder):
    (folder.path / "bitstreams/some/qp32/.unfinished-1").write_bytes(b"half")
    folder.mend()
    assert not list(folder.path.rglob(".unfinished*"))


def test_two_processes_cannot_write_to_one_folder(folder):
    again = RunFolder(folder.path).locked()
    with folder.locked(), pytest.raises(UsageError, match="another process"), again:
        pass


@pytest.mark.parametrize("place", ["file", "file/below", "link", "/proc/x", "/dev/null"])
def test_what_cannot_be_a_run_folder_is_refused_before_any_work(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere/at/all")
    folder = RunFolder(tmp_path / place)
    with pytest.raises(UsageError, match=r"cannot hold a run.*: choose another --out"):
        folder.check_usable()
        with folder.locked():
            pass


def test_a_folder_with_other_files_is_not_taken(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="holds files, but no run"):
        RunFolder(tmp_path).manifest()
