"""What a run was made with: versions of the software and the machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib

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


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
