"""Reads Detectron2's checkpoints, without Detectron2 and without running what a pickle asks for."""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.errors import UsageError

CHECKPOINT = "a Detectron2 checkpoint, such as model_final_af9cf5.pkl"
"""What a file should hold, for messages."""

_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_DTYPE = re.compile(r"b1|[iu][1248]|f[248]")
_LONGEST_NAME = 100


def read_checkpoint(content: bytes, path: Path) -> dict[str, Tensor]:
    """The tensors of a Detectron2 model by their names.

    Args:
        content: that of the file: a pickle of ``{"model": {name: array}}``, as in Detectron2's
            model zoo, or what ``torch.save`` wrote of a dictionary or of one below ``"model"``,
            as Detectron2's training does.
        path: the file's name; its ending, ``.pkl`` or ``.pth``, tells which.

    Raises:
        UsageError: if it is neither, is damaged, or holds or asks for anything else.
    """
    if path.suffix == ".pkl":
        model = _unpickled(content, path)
    elif path.suffix == ".pth":
        model = _torch_loaded(content, path)
    else:
        raise UsageError(f"{path} is no Detectron2 checkpoint: those end in .pkl or .pth")
    if not isinstance(model, dict) or not model:
        raise UsageError(f'{path} is no Detectron2 checkpoint: it has no "model" with arrays')
    return {name: _tensor(name, value, path) for name, value in model.items()}


def _unpickled(content: bytes, path: Path) -> object:
    try:
        loaded = _Machine().run(content)
    except Exception as error:  # a pickle that is no checkpoint can raise anything
        reason = str(error) if isinstance(error, ValueError) else "it is damaged"
        raise UsageError(f"{path} is no checkpoint of plain numpy arrays: {reason}") from error
    return loaded.get("model") if isinstance(loaded, dict) else None


def _torch_loaded(content: bytes, path: Path) -> object:
    try:
        loaded = torch.load(io.BytesIO(content), "cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is none of its own
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{path} is no checkpoint of plain tensors: {reason}") from error
    return loaded.get("model", loaded) if isinstance(loaded, dict) else None


def _tensor(name: object, value: object, path: Path) -> Tensor:
    if isinstance(value, _Array):
        value = torch.from_numpy(value.values)
    if not isinstance(name, str) or not isinstance(value, Tensor):
        kind = type(value).__name__
        raise UsageError(f"{path} has a {kind} in its model, where a named array should be")
    return value


class _Machine:
    """Runs a pickle, which is a program for a machine with a stack.

    This one knows the instructions for containers, texts, numbers and numpy's arrays only. It
    calls nothing but functions of this module, and takes no more memory than a few times the
    pickle's length.
    """

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, content: bytes) -> object:
        """What a pickle holds.

        Raises:
            Exception: if it is damaged or asks for anything else.
        """
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                break
            self._do(opcode.name, argument)
        return self._stack.pop()

    def _do(self, opcode: str, argument: Any) -> None:
        stack = self._stack
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode == "NEWTRUE")
            case _ if opcode in _LITERALS:
                stack.append(argument)
            case "MARK":
                self._marks.append(len(stack))
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._taken(len(stack) - int(opcode[-1]))))
            case "TUPLE":
                stack.append(tuple(self._taken(self._marks.pop())))
            case "EMPTY_LIST":
                stack.append([])
            case "APPEND":
                self._extend(self._taken(len(stack) - 1))
            case "APPENDS":
                self._extend(self._taken(self._marks.pop()))
            case "EMPTY_DICT":
                stack.append({})
            case "SETITEM":
                self._update(self._taken(len(stack) - 2))
            case "SETITEMS":
                self._update(self._taken(self._marks.pop()))
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "GLOBAL":
                stack.append(_named(argument))
            case "STACK_GLOBAL":
                stack.append(_named(" ".join(self._taken(len(stack) - 2))))
            case "REDUCE":
                function, arguments = self._taken(len(stack) - 2)
                stack.append(_called(function, arguments))
            case "BUILD":
                (state,) = self._taken(len(stack) - 1)
                _build(stack[-1], state)
            case _:
                raise ValueError(f"it has the instruction {opcode}")

    def _taken(self, start: int) -> list[Any]:
        """What lies on the stack from a place on, taken off it."""
        if start < 0:
            raise ValueError("it takes more than there is")
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise ValueError(f"it appends to a {type(target).__name__}")
        target.extend(items)

    def _update(self, items: list[Any]) -> None:
        target, keys = self._stack[-1], items[::2]
        # the hash of a tuple of tuples of tuples overruns the interpreter's own stack
        if not isinstance(target, dict) or not all(isinstance(key, str | int) for key in keys):
            raise ValueError("it has a dictionary of other keys than texts and numbers")
        target.update(zip(keys, items[1::2], strict=True))


@dataclass(frozen=True)
class _Function:
    """What a pickle may call, by numpy's name for it."""

    call: Callable[..., object]


class _Dtype:
    """A dtype of plain numbers in the making."""

    def __init__(self, name: object, *flags: object) -> None:
        if not isinstance(name, str) or not _DTYPE.fullmatch(name):
            raise ValueError("it has an array of something else than plain numbers")
        self.dtype = np.dtype(name)

    def build(self, state: tuple[Any, ...]) -> None:
        """Takes the byte order; a dtype with parts would have a state of more."""
        _, order, *parts = state
        if parts[:3] != [None, None, None]:
            raise ValueError("it has an array of something else than plain numbers")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """An array of plain numbers in the making."""

    def __init__(self, *subtype_shape_code: object) -> None:
        self.values: NDArray[Any] = np.zeros(0)

    def build(self, state: tuple[Any, ...]) -> None:
        """Takes the state in pickles of protocol 2 to 4: version, shape, dtype, order, data."""
        _, shape, dtype, by_columns, data = state
        if not all(type(side) is int and side >= 0 for side in shape):
            raise ValueError("it has an array whose shape is none")
        values = _numbers(dtype, data).reshape(shape, order="F" if by_columns else "C")
        # torch knows this machine's byte order only, and wants memory that it may write to
        self.values = values.astype(values.dtype.newbyteorder("="), order="C")


def _array_from_buffer(data: object, dtype: object, shape: object, order: object) -> _Array:
    """As pickles of protocol 5 make an array."""
    array = _Array()
    array.build((1, shape, dtype, order == "F", data))
    return array


def _numbers(dtype: object, data: object) -> NDArray[Any]:
    if isinstance(data, str):  # Python 2's bytes
        data = data.encode("latin-1")
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise ValueError("it has an array of objects")
    return np.frombuffer(data, dtype.dtype)


def _scalar(dtype: object, data: object) -> object:
    (value,) = _numbers(dtype, data)
    return value


def _bytes(text: object, encoding: object) -> bytes:
    """As pickles of protocol 2 hold bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError("it encodes something else than bytes")
    return text.encode("latin-1")


def _ordered_dict() -> dict[object, object]:
    return {}


def _not_to_be_called(*arguments: object) -> object:
    raise ValueError("it calls numpy.ndarray")


_FUNCTIONS = {
    "_codecs encode": _Function(_bytes),
    "collections OrderedDict": _Function(_ordered_dict),
    "numpy dtype": _Function(_Dtype),
    "numpy ndarray": _Function(_not_to_be_called),
}
for _core in ("numpy.core", "numpy._core"):  # numpy 1, numpy 2
    _FUNCTIONS[f"{_core}.multiarray _reconstruct"] = _Function(_Array)
    _FUNCTIONS[f"{_core}.multiarray scalar"] = _Function(_scalar)
    _FUNCTIONS[f"{_core}.numeric _frombuffer"] = _Function(_array_from_buffer)


def _named(name: str) -> _Function:
    if name not in _FUNCTIONS:
        shown = name.replace(" ", ".")[:_LONGEST_NAME]
        raise ValueError(f"it asks for {shown}")
    return _FUNCTIONS[name]


def _called(function: object, arguments: object) -> object:
    if not isinstance(function, _Function) or not isinstance(arguments, tuple):
        raise ValueError(f"it calls a {type(function).__name__}")
    return function.call(*arguments)


def _build(target: object, state: object) -> None:
    if isinstance(target, _Dtype | _Array) and isinstance(state, tuple):
        target.build(state)
    elif not isinstance(target, dict):  # ordered dictionaries come with attributes of no interest
        raise ValueError(f"it changes a {type(target).__name__}")
