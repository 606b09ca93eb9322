"""The analysis network begins without torch's compiler, which is there when it is asked for."""

import subprocess
import sys

CHECK = """
import sys
from benchmark.analysis import open_analysis
network = open_analysis("miniscapes")
assert "torch._dynamo" not in sys.modules and "torch._dynamo.utils" not in sys.modules

import torch
from torchvision.ops import roi_align
torch.use_deterministic_algorithms(True)  # asks for the compiler
pooled = roi_align(torch.ones(1, 1, 8, 8), torch.tensor([[0.0, 0, 0, 8, 8]]), 2)
assert pooled.tolist() == [[[[1, 1], [1, 1]]]]

import torch._dynamo
from torch._dynamo.utils import is_compile_supported
assert torch._dynamo.__file__ and is_compile_supported("cpu")
assert torchvision_answers() == is_compile_supported("cpu")
"""
ANSWERS = """
def torchvision_answers():
    import torchvision.ops
    return sys.modules["torchvision.ops.roi_align"].is_compile_supported("cpu")
"""


def test_an_analysis_network_opens_without_the_compiler():
    check = ANSWERS + CHECK
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
