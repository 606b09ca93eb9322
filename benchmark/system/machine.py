"""What a run was made with: versions of the software, the machine, and its memory."""

from __future__ import annotations

import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib

from benchmark.system.programs import peak_memory_with_programs

_PACKAGES = (
    "benchmark",
    "bjontegaard",
    "cityscapesscripts",
    "compressai",
    "imageio-ffmpeg",
    "joblib",
    "lightning-fabric",
    "numpy",
    "pandas",
    "pillow",
    "pycocotools",
    "pytorch-msssim",
    "torch",
    "torchvision",
)


def versions() -> dict[str, str]:
    """Python's version and those of the packages that measurements depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, str]:
    """The processor, the number of cores that may be used, and the operating system."""
    return {
        "processor": _processor(),
        "cores": str(joblib.cpu_count()),
        "system": platform.platform(),
    }


def peak_memory() -> int:
    """Bytes that this process has taken at most so far, together with the programs that it ran."""
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return max(own, peak_memory_with_programs())


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
