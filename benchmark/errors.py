"""Errors that are the user's to mend: one clear line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class UsageError(Exception):
    """What was asked for does not exist or does not fit together.

    The message says what was found, where, and what to do; the command line prints it and ends
    with exit code 2.
    """


class PluginError(UsageError):
    """A plug-in is broken; the message names its file and what is wrong with it."""


class CodecUnavailable(Exception):
    """A codec cannot run here; the message says why and what to do."""


class ProgramError(Exception):
    """A program could not be started, failed, or did not end in time."""


class SeveralErrors(UsageError):
    """Several things that are the user's to mend, a line each."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("".join(["this does not go together:", *(f"\n- {its}" for its in lines)]))
        self.lines = tuple(lines)


class Problems:
    """What is wrong with what was asked for, to be told all at once."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, line: str) -> None:
        """Note a problem; the same one counts once."""
        if line not in self._lines:
            self._lines.append(line)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the errors that are the user's to mend, and go on behind the block."""
        try:
            yield
        except SeveralErrors as errors:
            for line in errors.lines:
                self.add(line)
        except (UsageError, CodecUnavailable) as error:
            self.add(str(error))

    def refuse(self) -> None:
        """Raise a `UsageError` with all that was noted; nothing if nothing was."""
        if len(self._lines) == 1:
            raise UsageError(self._lines[0])
        if self._lines:
            raise SeveralErrors(self._lines)
