"""Import torchvision without the compiler of torch, which takes ten times as long."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_COMPILER = ("torch._dynamo", "torch._dynamo.utils")


class _Deferred(ModuleType):
    """Stands for a module until one of its names is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # inspect asks all modules for their __file__
            raise AttributeError(name)
        _forget()
        return getattr(importlib.import_module(self.__name__), name)


def import_torchvision() -> None:
    """Import torchvision; what it wants of torch's compiler is imported when it is first called.

    ``torchvision.ops.roi_align`` imports all of ``torch._dynamo`` for a question that it asks only
    where its compiled operators are missing: 2 s of a processor in every process that detects.
    """
    import torch  # noqa: F401  (must not meet a deferred compiler itself)

    if "torchvision" not in sys.modules and not any(name in sys.modules for name in _COMPILER):
        for name in _COMPILER:
            sys.modules[name] = _Deferred(name)
        sys.modules[_COMPILER[0]].__path__ = []
        sys.modules[_COMPILER[1]].is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
        try:
            import torchvision  # noqa: F401
        finally:
            _forget()


def _is_compile_supported(device: str) -> bool:
    from torch._dynamo.utils import is_compile_supported

    return is_compile_supported(device)


def _forget() -> None:
    for name in _COMPILER:
        if isinstance(sys.modules.get(name), _Deferred):
            del sys.modules[name]
