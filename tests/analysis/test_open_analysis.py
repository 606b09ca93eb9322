"""Which analysis networks can be asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.analysis import open_analysis
from benchmark.analysis.mask_rcnn import embedded
from benchmark.analysis.mask_rcnn.network import MaskRcnn
from benchmark.analysis.mask_rcnn.weights_file import Description, save_weights
from benchmark.datasets.cityscapes import CATEGORIES
from benchmark.errors import UsageError


@pytest.mark.parametrize("spec", ["yolo", "", "weights:", "miniscapes:3"])
def test_unknown_network_is_refused_and_the_known_are_named(spec: str) -> None:
    with pytest.raises(
        UsageError, match=r"analysis network .*(there are .*miniscapes|is not of the form)"
    ):
        open_analysis(spec)


def test_own_weights_are_opened_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_weights(path, MaskRcnn(width=8), Description(8, CATEGORIES, {}))
    network = open_analysis(f"weights:{path}")
    assert network.name == "mine"
    assert len(network.identity()["weights"]) == 64


def test_missing_weights_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"absent.safetensors does not exist"):
        open_analysis(f"weights:{tmp_path / 'absent.safetensors'}")
    monkeypatch.setattr(embedded, "WEIGHTS", tmp_path / "absent.safetensors")
    with pytest.raises(UsageError, match=r"absent.safetensors is missing: .*train analysis"):
        open_analysis("miniscapes")


@pytest.mark.parametrize("content", [b"", b"no weights at all, just some text of a file"])
def test_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.safetensors"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"odd.safetensors is not a readable safetensors file"):
        open_analysis(f"weights:{path}")


def test_package_is_imported_without_torch() -> None:
    code = "import sys, benchmark.analysis; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
