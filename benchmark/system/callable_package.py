"""Let a package be called like a function."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def make_callable(package: str, function: str) -> None:
    """Let a call of a package call a function, which is imported then.

    ``benchmark.run`` is a package and a function of the API, whichever is used first: importing a
    package binds its name in the package above, so that a function of the same name would be lost.
    A package that can be called is both.

    Args:
        package: its full name; it is being imported.
        function: ``MODULE:NAME``.
    """
    module, _, name = function.partition(":")

    class CallablePackage(ModuleType):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return getattr(importlib.import_module(module), name)(*arguments, **options)

    sys.modules[package].__class__ = CallablePackage
