"""The data sets read what is there, and name what is missing."""

import shutil
import struct

import numpy as np
import PIL.ExifTags
import PIL.Image
import pytest
from PIL.PngImagePlugin import PngImageFile

from benchmark.datasets import open_dataset
from benchmark.datasets.cityscapes import Cityscapes
from benchmark.datasets.dataset import check_something_to_find, fingerprint, read_image
from benchmark.datasets.image_file import shown_size
from benchmark.errors import UsageError
from benchmark.evaluation.published_run import published_folder
from benchmark.metrics.cityscapes_ap import CityscapesGroundTruth


def write_cityscapes(root, images):
    """The real layout with drawn content: image n holds n + 1 cars and a group of persons."""
    for number in range(images):
        city = ("frankfurt", "lindau", "munster")[number % 3]
        ids = np.full((32, 64), 7, np.uint16)
        for car in range(number % 3 + 1):
            ids[4:12, 8 * car : 8 * car + 6] = 26000 + car
        ids[20:30, 40:60] = 24
        ids[20:30, 2:6] = 0
        for folder, suffix, pixels in (
            ("leftImg8bit", "leftImg8bit", np.zeros((32, 64, 3), np.uint8)),
            ("gtFine", "gtFine_instanceIds", ids),
        ):
            path = root / folder / "val" / city
            path.mkdir(parents=True, exist_ok=True)
            file = path / f"{city}_{number:06d}_000019_{suffix}.png"
            PIL.Image.fromarray(pixels).save(file)


def test_instances_and_groups_are_told_apart(tmp_path):
    write_cityscapes(tmp_path, 3)
    dataset = Cityscapes(tmp_path)
    assert [picture.name for picture in dataset.pictures] == [
        "frankfurt_000000_000019",
        "lindau_000001_000019",
        "munster_000002_000019",
    ]
    found = dataset.instances(dataset.pictures[2])
    assert [(i.category_id, i.ignored, int(i.mask.sum())) for i in found] == [
        (24, True, 200),
        (26, False, 48),
        (26, False, 48),
        (26, False, 48),
    ]


def test_cityscapes_needs_500_validation_images(tmp_path):
    write_cityscapes(tmp_path, 3)
    with pytest.raises(UsageError, match="holds 3 images, Cityscapes' validation split has 500"):
        open_dataset(f"cityscapes:{tmp_path}")
    write_cityscapes(tmp_path, 500)
    assert len(open_dataset(f"cityscapes:{tmp_path}").pictures) == 500


def test_missing_parts_of_cityscapes_are_named(tmp_path):
    write_cityscapes(tmp_path, 3)
    file = tmp_path / "gtFine/val/lindau/lindau_000001_000019_gtFine_instanceIds.png"
    file.unlink()
    with pytest.raises(UsageError, match=f"1 of 3 images have no instance ids: {file}"):
        Cityscapes(tmp_path)
    shutil.rmtree(tmp_path / "gtFine")
    with pytest.raises(UsageError, match="gtFine/val does not exist"):
        Cityscapes(tmp_path)


def test_miniscapes_is_read_like_cityscapes():
    dataset = open_dataset("miniscapes")
    assert len(dataset.pictures) == 100
    assert read_image(dataset.pictures[0].path).shape == (256, 512, 3)
    classes = {i.category_id for p in dataset.pictures[:20] for i in dataset.instances(p)}
    assert {24, 26, 33} <= classes <= {category.id for category in dataset.categories}


def test_miniscapes_is_the_same_as_when_its_results_were_published():
    dataset = open_dataset("miniscapes")
    published = published_folder().finished_manifest().images
    assert len(published) == len(dataset.pictures)
    for picture in dataset.pictures[::33]:
        its = published[picture.name]
        found = fingerprint(dataset, picture)
        assert (found.pixels, found.annotations) == (its.pixels, its.annotations)


def test_a_fingerprint_tells_pixels_and_annotations_apart(tmp_path):
    write_cityscapes(tmp_path, 1)
    dataset = Cityscapes(tmp_path)
    (picture,) = dataset.pictures
    before = fingerprint(dataset, picture)
    with PIL.Image.open(picture.path) as image:
        image.save(picture.path, compress_level=0)
    assert fingerprint(dataset, picture) == before
    image.putpixel((0, 0), (1, 0, 0))
    image.save(picture.path)
    assert fingerprint(dataset, picture).pixels != before.pixels
    assert fingerprint(dataset, picture).annotations == before.annotations
    write_cityscapes(tmp_path, 1)
    ids = next((tmp_path / "gtFine").rglob("*.png"))
    with PIL.Image.open(ids) as image:
        image.putpixel((0, 0), 26009)
    image.save(ids)
    assert fingerprint(dataset, picture).pixels == before.pixels
    assert fingerprint(dataset, picture).annotations != before.annotations


def instance_ids_of(root, number):
    return sorted((root / "gtFine").rglob("*.png"))[number]


@pytest.mark.parametrize("change", ["resize", "transpose"])
def test_instance_ids_of_another_size_than_the_image_are_named(tmp_path, change):
    write_cityscapes(tmp_path, 2)
    dataset = Cityscapes(tmp_path)
    path = dataset.pictures[1].path
    with PIL.Image.open(path) as image:
        changed = image.resize((32, 16)) if change == "resize" else image.rotate(90, expand=True)
    changed.save(path)
    width, height = changed.size
    message = f"{path} is {width} x {height}, its instance ids in .* are 64 x 32"
    with pytest.raises(UsageError, match=message):
        fingerprint(dataset, dataset.pictures[1])
    with pytest.raises(UsageError, match=message):
        CityscapesGroundTruth(dataset, dataset.pictures)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_instance_ids_of_another_kind_are_named(tmp_path, mode):
    write_cityscapes(tmp_path, 1)
    path = instance_ids_of(tmp_path, 0)
    PIL.Image.new(mode, (64, 32)).save(path)
    dataset = Cityscapes(tmp_path)
    with pytest.raises(UsageError, match=f"{path} is not a readable instance map: mode {mode}"):
        fingerprint(dataset, dataset.pictures[0])


def test_instance_ids_without_instances_are_said(tmp_path):
    write_cityscapes(tmp_path, 1)
    dataset = Cityscapes(tmp_path)
    path = instance_ids_of(tmp_path, 0)
    for value, reason in ((24, r"all 1 are groups \(iscrowd\)"), (7, "annotated as person, rider")):
        PIL.Image.fromarray(np.full((32, 64), value, np.uint16)).save(path)
        with pytest.raises(UsageError, match=f"1 images of here hold no instance .*{reason}"):
            check_something_to_find(dataset, dataset.pictures, "here")


def test_images_of_one_name_in_two_folders_are_named(tmp_path):
    write_cityscapes(tmp_path, 1)
    for part in ("leftImg8bit", "gtFine"):
        shutil.copytree(tmp_path / part / "val/frankfurt", tmp_path / part / "val/zurich")
    with pytest.raises(UsageError, match=r"two images of .* are called frankfurt_000000_000019"):
        Cityscapes(tmp_path)


def test_images_keep_odd_sides(tmp_path):
    PIL.Image.new("L", (33, 17)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (17, 33, 3)


def test_images_are_read_in_all_endings_and_linked_folders_and_the_rest_is_said(tmp_path):
    root, elsewhere = tmp_path / "images", tmp_path / "elsewhere"
    for name in ("a.png", "b.JFIF", "c.avif", "d.gif", "e.pgm", "sub/f.jp2", "g.tga", "h.jpe"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (8, 8)).save(root / name)
    elsewhere.mkdir()
    PIL.Image.new("RGB", (8, 8)).save(elsewhere / "m.png")
    (root / "linked").symlink_to(elsewhere)
    (root / "sub/loop").symlink_to(root)
    for name in ("i.heic", "j.HEIC", "notes.txt", "README", "._a.png", ".trash/k.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"")
    dataset = open_dataset(f"images:{root}")
    names = ["a.png", "b.JFIF", "c.avif", "d.gif", "e.pgm", "g.tga", "h.jpe", "linked_m.png"]
    assert [picture.name for picture in dataset.pictures] == [*names, "sub_f.jp2"]
    for picture in dataset.pictures:
        assert read_image(picture.path).shape == (8, 8, 3)
    (remark,) = dataset.remarks(dataset.pictures)
    assert f"{root}: passed over 6 files that are not read as images: " in remark
    for part in (".heic (2)", ".txt (1)", "no ending (1)", "hidden (2)"):
        assert part in remark


@pytest.mark.parametrize("kind", ["tif", "png", "jpg", "webp"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images_are_read_as_they_are_shown(tmp_path, kind, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    stored = PIL.Image.fromarray(pixels).convert(mode)
    stored.save(tmp_path / f"upright.{kind}")
    upright = read_image(tmp_path / f"upright.{kind}")
    turned = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1]}
    turned |= {5: turned[1].swapaxes(0, 1), 6: turned[4].swapaxes(0, 1)}
    turned |= {7: turned[3].swapaxes(0, 1), 8: turned[2].swapaxes(0, 1)}
    for orientation, expected in turned.items():
        exif = PIL.Image.Exif()
        exif[PIL.ExifTags.Base.Orientation] = orientation
        path = tmp_path / f"{orientation}.{kind}"
        stored.save(path, exif=exif)
        assert shown_size(path) == expected.shape[:2]
        assert np.array_equal(read_image(path), expected), orientation


def test_the_orientation_of_a_png_may_stand_behind_its_pixels(tmp_path, monkeypatch):
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Orientation] = 6
    image = PIL.Image.fromarray(np.zeros((8, 12, 3), np.uint8))
    image.save(tmp_path / "before.png", exif=exif)
    content = (tmp_path / "before.png").read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4], "big")
    last = content.index(b"IEND") - 4
    moved = content[:start] + content[end:last] + content[start:end] + content[last:]
    (tmp_path / "behind.png").write_bytes(moved)
    image.save(tmp_path / "plain.png")
    sizes = [shown_size(tmp_path / f"{name}.png") for name in ("before", "behind", "plain")]
    assert sizes == [(12, 8), (12, 8), (8, 12)]
    monkeypatch.setattr(PngImageFile, "load", lambda file: pytest.fail("it is decoded"))
    assert shown_size(tmp_path / "plain.png") == (8, 12)


def test_sixteen_bits_are_read_by_their_upper_eight(tmp_path):
    ramp = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    for kind in ("png", "tif", "pgm", "jp2"):
        PIL.Image.fromarray(ramp).save(tmp_path / f"a.{kind}")
        found = read_image(tmp_path / f"a.{kind}")
        assert np.array_equal(found, np.repeat(ramp[..., None] >> 8, 3, axis=2)), kind


def test_samples_of_unknown_range_are_refused_by_name(tmp_path):
    for kind, values in (("floats", np.eye(4, dtype=np.float32)), ("integers", np.eye(4) * 9)):
        values = values if kind == "floats" else values.astype(np.int32)
        PIL.Image.fromarray(values).save(tmp_path / "a.tif")
        with pytest.raises(UsageError, match=rf"a.tif holds .*{kind} \(mode [IF]\), whose range"):
            read_image(tmp_path / "a.tif")
    PIL.Image.fromarray(np.eye(4, dtype=np.uint16)).save(tmp_path / "a.tif")
    twelve = (tmp_path / "a.tif").read_bytes().replace(_tag(258, 16), _tag(258, 12))
    (tmp_path / "a.tif").write_bytes(twelve)
    with pytest.raises(UsageError, match=r"a\.tif has 12 bits a sample"):
        read_image(tmp_path / "a.tif")


def _tag(number, value):
    """An entry of a TIFF's directory that holds a short integer."""
    return struct.pack("<HHIHH", number, 3, 1, value, 0)


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not an image")
    for function in (read_image, shown_size):
        with pytest.raises(UsageError, match=r"a\.png is not a readable image: of no known format"):
            function(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"b\.png is not a readable image: .*No such file"):
        read_image(tmp_path / "b.png")


def test_a_name_that_a_run_folder_cannot_hold_is_named(tmp_path):
    folder = tmp_path / ("x" * 200) / ("y" * 100)
    folder.mkdir(parents=True)
    PIL.Image.new("RGB", (8, 8)).save(folder / "a.png")
    with pytest.raises(UsageError, match=r"called 307 bytes long .* take 255: shorten"):
        open_dataset(f"images:{tmp_path}")


def test_an_empty_folder_of_images_is_said(tmp_path):
    with pytest.raises(UsageError, match="holds no images"):
        open_dataset(f"images:{tmp_path}")
