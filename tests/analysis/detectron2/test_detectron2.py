"""Detectron2's Mask R-CNN without Detectron2: what it detects, and which files it refuses."""

import functools
import io
import operator
import os
import pickle
import struct
import subprocess
import tracemalloc
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from seeded_detectron2 import CLASSIFIER, Arrays, blurred_noise, pickled, seeded_weights

from benchmark.analysis import open_analysis, open_training_network
from benchmark.analysis.analysis_network import Detection
from benchmark.analysis.detectron2.adapter import (
    Detectron2Analysis,
    _categories,
    _load_tensors,
)
from benchmark.analysis.detectron2.checkpoint import read_checkpoint
from benchmark.analysis.detectron2.heads import _best_detections
from benchmark.analysis.detectron2.network import Detectron2MaskRcnn
from benchmark.analysis.labels import matched
from benchmark.datasets.cityscapes import CATEGORIES
from benchmark.errors import UsageError

PICKLE = Path("some.pkl")


@pytest.fixture(scope="module")
def weights() -> Arrays:
    return seeded_weights()


@pytest.fixture(scope="module")
def analysis(weights: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Detectron2Analysis:
    path = tmp_path_factory.mktemp("detectron2") / "seeded.pkl"
    path.write_bytes(pickled(weights))
    network = open_analysis(f"detectron2:{path}")
    assert isinstance(network, Detectron2Analysis)
    return network


@pytest.fixture(scope="module")
def network() -> Detectron2MaskRcnn:
    return Detectron2MaskRcnn(8)


def decoded(detection: Detection) -> NDArray[np.uint8]:
    return coco_mask.decode({"size": list(detection.size), "counts": detection.counts})


# What Detectron2 itself (commit 02b5c4e2, on a CPU, torch 2.14.1) finds with the weights and images
# above, read by its own checkpointer and predictor: the number of detections; label id, score, box
# (x0, y0, x1, y1) and number of pixels of every tenth.
DETECTRON2 = {
    ((96, 2048), 0): (
        100,
        [
            (28, 0.9992, (1864.56, 20.92, 1892.58, 36.01), 85),
            (28, 0.9838, (458.45, 45.47, 500.94, 57.56), 79),
            (27, 0.964, (960.84, 0.03, 993.46, 3.1), 36),
            (27, 0.953, (883.45, 0.0, 988.01, 8.75), 487),
            (31, 0.9423, (326.06, 28.89, 370.35, 71.3), 864),
            (28, 0.9157, (1396.91, 33.82, 1410.8, 47.25), 59),
            (27, 0.8949, (210.49, 33.15, 230.46, 96.0), 448),
            (27, 0.8818, (1960.99, 0.0, 1994.07, 4.58), 80),
            (33, 0.8664, (553.64, 52.79, 567.39, 56.67), 26),
            (27, 0.8509, (864.92, 0.0, 905.45, 15.69), 352),
        ],
    ),
    ((48, 1024), 1): (
        100,
        [
            (27, 0.9956, (360.28, 0.0, 370.22, 1.71), 15),
            (24, 0.9766, (0.95, 2.75, 8.94, 16.35), 37),
            (31, 0.9484, (650.67, 3.25, 655.9, 10.63), 32),
            (27, 0.92, (150.0, 19.45, 157.73, 27.38), 28),
            (27, 0.8995, (146.39, 20.26, 154.09, 26.16), 20),
            (27, 0.8782, (954.92, 0.0, 963.05, 3.39), 19),
            (28, 0.8659, (743.58, 0.82, 749.57, 33.5), 19),
            (27, 0.8495, (64.56, 4.16, 126.82, 29.63), 720),
            (26, 0.8316, (951.66, 3.74, 968.15, 13.38), 62),
            (27, 0.8109, (955.89, 0.0, 964.66, 5.27), 31),
        ],
    ),
}


@pytest.mark.parametrize("size_and_seed", DETECTRON2)
def test_detections_are_those_of_detectron2(
    analysis: Detectron2Analysis, size_and_seed: tuple[tuple[int, int], int]
) -> None:
    (height, width), seed = size_and_seed
    count, tenths = DETECTRON2[size_and_seed]
    (found,) = analysis.detect([blurred_noise(height, width, seed)])
    assert len(found) == count
    for label_id, score, corners, pixels in tenths:
        # by the box, because scores that are almost the same may change places elsewhere
        detection = min(found, key=lambda candidate: distance(candidate, label_id, corners))
        assert detection.category_id == label_id
        assert detection.score == pytest.approx(score, abs=1e-3)
        assert distance(detection, label_id, corners) < 0.05
        assert detection.size == (height, width)
        assert decoded(detection).sum() == pytest.approx(pixels, rel=0.01, abs=2)


def distance(detection: Detection, label_id: int, corners: tuple[float, ...]) -> float:
    """How far apart the sides of two boxes are, in pixels; infinite for another class."""
    x, y, w, h = detection.box
    apart = np.abs(np.array([x, y, x + w, y + h]) - corners).max()
    return float(apart) if detection.category_id == label_id else np.inf


def test_images_are_judged_alike_alone_and_together(analysis: Detectron2Analysis) -> None:
    images = [blurred_noise(48, 1024, seed) for seed in (1, 2)] + [blurred_noise(32, 1024)]
    together = analysis.detect(images)
    for image, found in zip(images, together, strict=True):
        (alone,) = analysis.detect([image])
        assert len(found) == len(alone)
        assert found[0].category_id == alone[0].category_id
        assert found[0].score == pytest.approx(alone[0].score, abs=1e-4)
        assert found[0].box == pytest.approx(alone[0].box, abs=0.02)


def test_detections_lie_above_the_threshold_inside_the_image_and_apart() -> None:
    proposals = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 200, 30]])
    boxes = proposals[:, None].repeat(1, 2, 1)  # the same for both classes
    scores = torch.tensor([[0.6, 0.3, 0.1], [0.5, 0.45, 0.05], [0.05, 0.06, 0.89]])
    found, kept, classes = _best_detections(boxes, scores, (100, 100))
    assert found.tolist() == [[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 100, 30]]
    assert kept.tolist() == pytest.approx([0.6, 0.45, 0.06])
    assert classes.tolist() == [0, 1, 1]


def test_identity_names_the_weights_and_the_thresholds(analysis: Detectron2Analysis) -> None:
    identity = analysis.identity()
    assert identity.pop("weights") != ""
    assert identity == {
        "name": "seeded",
        "size": "1024, at most 2048",
        "score_threshold": "0.05",
        "nms_threshold": "0.5",
        "detections": "100",
    }


def test_network_that_sees_nothing_finds_nothing(weights: Arrays) -> None:
    network = Detectron2MaskRcnn(8).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    with torch.no_grad():
        network.roi_heads.box_predictor.cls_score.bias[-1] = 1000  # the background
    blind = Detectron2Analysis(network, CATEGORIES, name="blind", weights_hash="")
    assert blind.detect([blurred_noise(32, 2048)]) == [[]]


@pytest.mark.parametrize(
    ("size", "resized"),
    [
        ((1024, 2048), (1024, 2048)),
        ((256, 512), (1024, 2048)),
        ((427, 640), (1024, 1535)),
        ((640, 427), (1535, 1024)),
        ((301, 1333), (462, 2048)),
        ((2000, 2000), (1024, 1024)),
        ((2, 300), (14, 2048)),
    ],
)
def test_images_are_resized_as_detectron2_does(
    analysis: Detectron2Analysis, size: tuple[int, int], resized: tuple[int, int]
) -> None:
    # the sizes are those of Detectron2's ResizeShortestEdge.get_output_shape
    assert analysis.network.seen_size(size) == resized
    assert analysis._resized(np.zeros((*size, 3), np.uint8)).shape == (*resized, 3)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickled_arrays_are_read_exactly(protocol: int) -> None:
    arrays = {
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
        "other end": np.arange(3, dtype=">f4"),
        "half": np.ones(2, np.float16),
        "count": np.array(7),
        "flags": np.array([True, False]),
    }
    model = OrderedDict(arrays)
    model._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]  # as torch adds
    content = pickle.dumps({"model": model, "loss": np.float64(0.5), "steps": {3: [1]}}, protocol)
    read = read_checkpoint(content, PICKLE)
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert np.array_equal(read[name].numpy(), array), name


def test_arrays_pickled_by_numpy_2_are_read() -> None:
    content = pickled({"a": np.ones(3, np.float32)}, 3)
    assert b"numpy.core" in content
    read = read_checkpoint(content.replace(b"numpy.core", b"numpy._core"), PICKLE)
    assert read["a"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("whole", [True, False])
def test_torch_checkpoints_are_read(whole: bool) -> None:
    model = {"a": torch.arange(3)}
    stored = io.BytesIO()
    torch.save({"model": model, "iteration": 5} if whole else model, stored)
    assert read_checkpoint(stored.getvalue(), Path("some.pth"))["a"].tolist() == [0, 1, 2]


class Reduced:
    """Asks for a call when it is unpickled."""

    def __init__(self, *reduction: object) -> None:
        self.reduction = reduction

    def __reduce__(self) -> tuple[object, ...]:
        return self.reduction


def text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode()


def array_state(shape: tuple[object, ...], dtype: object, data: object) -> Reduced:
    # numpy's own function, so that the pickle names it
    make = np.zeros(1).__reduce__()[0]
    return Reduced(make, (np.ndarray, (0,), b"b"), (1, shape, dtype, False, data))


def by_reduction(command: str) -> dict[str, bytes]:
    """Pickles that do something when pickle itself reads them: here, running a command."""
    code = f"__import__('os').system({command!r})"
    reduced = {
        "os.system": Reduced(os.system, (command,)),
        "eval": Reduced(eval, (code,)),
        "exec": Reduced(exec, (code,)),
        "subprocess": Reduced(subprocess.call, (["sh", "-c", command],)),
        "getattr": Reduced(getattr, (Reduced(__import__, ("os",)), "system")),
        "partial": Reduced(functools.partial, (os.system, command)),
        "attrgetter": Reduced(operator.attrgetter, ("system",)),
        "numpy.load": Reduced(np.load, ("x.npy", None, True)),
        "numpy.fromfile": Reduced(np.fromfile, ("x",)),
        "numpy.memmap": Reduced(np.memmap, ("x", "uint8", "w+")),
        "numpy.zeros": Reduced(np.zeros, ((10**12,), "u1")),
        "numpy.ndarray": Reduced(np.ndarray, ((10**12,), "u1")),
        "torch tensor": torch.zeros(3),
        "class": Detection(24, 1.0, (0, 0, 1, 1), (1, 1), "1"),
        "bytearray": Reduced(bytearray, (10**12,)),
    }
    return {name: pickled({"a": value}) for name, value in reduced.items()} | {
        "beside the model": pickle.dumps({"model": {}, "b": [{"c": reduced["os.system"]}]}, 3)
    }


def by_instructions(command: str) -> dict[str, bytes]:
    """The same with instructions that pickle's writer seldom or never uses."""
    system = b"posix\nsystem\n"
    call = b"(" + text(command)
    return {
        "INST": call + b"i" + system + b".",
        "OBJ": b"(c" + system + text(command) + b"o.",
        "NEWOBJ": b"\x80\x02c" + system + text(command) + b"\x85\x81.",
        "NEWOBJ_EX": b"\x80\x04c" + system + text(command) + b"\x85}\x92.",
        "EXT1": b"\x80\x02\x82\x01.",
        "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
        "PERSID": b"Poutside\n.",
        "BINPERSID": b"\x80\x02" + text("outside") + b"Q.",
        "attribute of an admitted name": b"\x80\x04"
        + text("numpy.core.multiarray")
        + text("_reconstruct.__globals__")
        + b"\x93.",
        "module that is no text": b"\x80\x04]" + text("system") + b"\x93.",
        "changed function": b"\x80\x02cnumpy\ndtype\n}" + text("call") + text("a") + b"sb.",
        "call of a text": b"\x80\x02" + text(command) + b")R.",
        "items of a function": b"\x80\x02cnumpy\ndtype\n" + text("a") + text("b") + b"s.",
        "ordered dictionary with pairs": b"\x80\x02ccollections\nOrderedDict\n]\x85R.",
        "STRING": b"S'text'\n.",
        "FROZENSET": b"\x80\x04(K\x01\x91.",
    }


def of_arrays() -> dict[str, bytes]:
    """Arrays that are something else than plain numbers, or less than they say."""
    four = np.dtype("f4")
    wrong = {
        "objects": np.array([1, "two"], object),
        "texts": np.array(["one"]),
        "dates": np.array(["2026-01-01"], "M8[D]"),
        "records": np.zeros(2, [("a", "f4"), ("b", "i4")]),
        "complex": np.zeros(2, np.complex64),
        "no array": [1.0, 2.0],
        "number": 1.5,
        "too few bytes": array_state((1000,), four, b"1234"),
        "enormous": array_state((2**40, 2**20), four, b"1234"),
        "shape below zero": array_state((-1,), four, b"1234"),
        "shape of texts": array_state(("1",), four, b"1234"),
        "data that is a text": array_state((1,), four, "\u1234" * 4),
        "dtype that is a text": array_state((1,), "f4", b"1234"),
    }
    return {name: pickled({"a": value}) for name, value in wrong.items()} | {
        "name that is a number": pickle.dumps({"model": {1: np.zeros(1)}}),
        "names that are tuples": pickle.dumps({"model": {("a",): np.zeros(1)}}),
        "empty model": pickled({}),
        "no model": pickle.dumps({"weights": {"a": np.zeros(1)}}),
        "list": pickle.dumps([np.zeros(1)]),
    }


def damaged_or_enormous() -> dict[str, bytes]:
    good = pickled({"a": np.zeros(100)}, 3)
    deep = 100_000
    return {
        "empty": b"",
        "text": b"no pickle at all",
        "half": good[: len(good) // 2],
        "without its end": good[:-1],
        "nothing to take": b"\x80\x02.",
        "no mark": b"\x80\x02K\x01t.",
        "no such memo": b"\x80\x02h\x05.",
        "memo far away": b"\x80\x02Nr\xff\xff\xff\xff.",
        "long text": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"a.",
        "long bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.",
        "long bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"a.",
        "long number": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"a.",
        "number of length below zero": b"\x80\x02\x8b" + struct.pack("<i", -5) + b"a.",
        "long frame": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b".",
        "deep lists": b"\x80\x02" + b"]" * deep + b"a" * (deep - 1) + b".",
        "deep tuples": b"\x80\x02)" + b"\x85" * deep + b".",
        "deep tuples as a name": b"\x80\x02})" + b"\x85" * deep + b"Ns.",
        "list in itself": b"\x80\x02]q\x00h\x00a.",
        "doubled a hundred times": b"\x80\x02]" + b"q\x00h\x00\x86" * 100 + b".",
    }


HOSTILE = (
    by_reduction("touch executed")
    | by_instructions("touch executed")
    | of_arrays()
    | damaged_or_enormous()
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_and_damaged_pickles_are_refused_and_run_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tracemalloc.start()
    with pytest.raises(UsageError, match=r"^some\.pkl "):
        read_checkpoint(HOSTILE[name], PICKLE)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100e6
    assert list(tmp_path.iterdir()) == []


def test_refusal_names_what_was_asked_for() -> None:
    with pytest.raises(UsageError, match=r"some\.pkl is no checkpoint .*: it asks for posix\.syst"):
        read_checkpoint(HOSTILE["os.system"], PICKLE)


def test_torch_checkpoint_that_runs_something_is_refused(tmp_path: Path) -> None:
    stored = io.BytesIO()
    torch.save({"model": {"a": Reduced(os.mkdir, (str(tmp_path / "executed"),))}}, stored)
    with pytest.raises(UsageError, match=r"some\.pth is no checkpoint of plain tensors"):
        read_checkpoint(stored.getvalue(), Path("some.pth"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({CLASSIFIER + "bias": None}, rf"lacks {CLASSIFIER}bias$"),
        ({"backbone.extra": torch.zeros(1)}, r"has the unknown backbone\.extra$"),
        ({CLASSIFIER + "bias": torch.zeros(8)}, rf"{CLASSIFIER}bias has the shape \(8,\) instead"),
        ({"pixel_std": torch.full((3, 1, 1), 57.0)}, r"other settings: pixel_std is \[57"),
        (
            {"proposal_generator.anchor_generator.cell_anchors.0": torch.zeros(3, 4)},
            r"other settings: proposal_generator\.anchor_generator\.cell_anchors\.0 is \[0",
        ),
    ],
)
def test_weights_of_another_network_are_refused(
    network: Detectron2MaskRcnn, change: dict[str, torch.Tensor | None], message: str
) -> None:
    changed = {**network.state_dict(), **change}
    tensors = {name: value for name, value in changed.items() if value is not None}
    with pytest.raises(UsageError, match=message):
        _load_tensors(network, tensors, PICKLE)


def test_constants_in_older_checkpoints_are_no_unknown_names(network: Detectron2MaskRcnn) -> None:
    _load_tensors(network, dict(network.named_buffers()) | network.state_dict(), PICKLE)


def test_coco_classes_meet_those_of_cityscapes_by_name() -> None:
    # of Detectron2's 80 classes the first 8: person, bicycle, car, motorcycle, airplane, bus ...
    ids = matched(_categories(80, PICKLE), CATEGORIES)
    assert ids == {1: 24, 2: 33, 3: 26, 4: 32, 6: 28, 7: 31, 8: 27}


def test_other_numbers_of_classes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"some\.pkl has 20 classes: there must be"):
        _categories(20, PICKLE)


@pytest.mark.parametrize("name", ["absent.pkl", "absent.pth"])
def test_missing_checkpoint_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{name} does not exist"):
        open_analysis(f"detectron2:{tmp_path / name}")


def test_file_with_another_ending_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"1234")
    with pytest.raises(UsageError, match=r"weights\.bin is no Detectron2 checkpoint: those end in"):
        open_analysis(f"detectron2:{tmp_path / 'weights.bin'}")


def test_threshold_and_number_of_detections_are_options(
    analysis: Detectron2Analysis, weights: Arrays, tmp_path: Path
) -> None:
    (tmp_path / "a,b.pkl").write_bytes(pickled(weights))
    spec = f"detectron2:{tmp_path}/a,b.pkl"
    few = open_analysis(f"{spec},score_threshold=0.9,detections=40")
    image = blurred_noise(48, 1024, 1)
    (found,), (all_found,) = few.detect([image]), analysis.detect([image])
    assert len(all_found) == 100
    assert [its.score for its in found] == [its.score for its in all_found if its.score > 0.9][:40]
    changed = {key for key, value in few.identity().items() if value != analysis.identity()[key]}
    assert changed == {"name", "score_threshold", "detections"}
    for option in ("score_threshold=2", "score_threshold=-1", "detections=0", "nms=0.5"):
        with pytest.raises(UsageError, match=f"'{option}' is no option: there are score_threshold"):
            open_analysis(f"{spec},{option}")


def test_codecs_are_trained_for_the_task_on_the_classes_of_the_network(
    weights: Arrays, tmp_path: Path
) -> None:
    (tmp_path / "seeded.pkl").write_bytes(pickled(weights))
    spec = f"detectron2:{tmp_path / 'seeded.pkl'}"
    assert isinstance(open_training_network(spec, CATEGORIES), Detectron2MaskRcnn)
    assert isinstance(open_training_network(spec, ()), Detectron2MaskRcnn)
    with pytest.raises(UsageError, match=r"its classes are person, rider, .* use --loss feature"):
        open_training_network(spec, CATEGORIES[:3])
