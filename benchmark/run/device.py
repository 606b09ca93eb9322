"""Where the analysis network computes."""

from __future__ import annotations

from benchmark.errors import UsageError

DEVICES = ("cpu", "cuda")


def choose_device(asked: str | None) -> str:
    """Return ``cpu`` or ``cuda``; None asks for CUDA where there is a device, else the CPU.

    Raises:
        UsageError: if CUDA is asked for and there is no device.
    """
    import torch

    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise UsageError("--device cuda: PyTorch finds no CUDA device here; use --device cpu")
    return asked or ("cuda" if there else "cpu")


def all_devices(device: str) -> list[str]:
    """Return all devices of a kind (`DEVICES`), as torch calls them."""
    if device != "cuda":
        return [device]
    import torch

    return [f"{device}:{number}" for number in range(torch.cuda.device_count())]


def device_identity(device: str) -> str:
    """Return what a device is called in the manifest: detections differ between GPUs."""
    if device == "cpu":
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name()})"


def exact_arithmetic() -> None:
    """Keep CUDA's convolutions from TF32, whose 10 bits give other detections than a CPU's."""
    import torch

    torch.backends.cudnn.allow_tf32 = False
