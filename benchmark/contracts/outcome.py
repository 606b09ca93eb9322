"""The outcome of a check."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass


class BrokenContract(Exception):
    """A plug-in does not keep a part of its contract; the message says what it did."""


@dataclass(frozen=True)
class Check:
    """One part of a contract, and whether a plug-in keeps it.

    Attributes:
        what: the part, as a sentence that is true where it is kept.
        problem: what the plug-in did instead; empty where it keeps it.
        note: what is worth knowing where it keeps it.
    """

    what: str
    problem: str = ""
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the plug-in keeps it."""
        return not self.problem

    def line(self) -> str:
        """Return the check as a line."""
        if self.problem:
            return f"FAILED  {self.what}: {self.problem}"
        return f"ok      {self.what}" + (f" ({self.note})" if self.note else "")


def checked(what: str, function: Callable[[], str | None]) -> Check:
    """Carry out a check; whatever goes wrong becomes its problem.

    Args:
        what: the part of the contract.
        function: returns a note, or raises.
    """
    try:
        return Check(what, note=function() or "")
    except KeyboardInterrupt:
        raise
    except BrokenContract as error:
        return Check(what, str(error))
    except BaseException as error:  # a plug-in may exit, or raise what it likes
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())
        return Check(
            what, f"{type(error).__name__} in {where.filename}:{where.lineno}: {text:.300}"
        )


def expect(condition: object, problem: str) -> None:
    """Raise `BrokenContract` with the problem if a condition does not hold."""
    if not condition:
        raise BrokenContract(problem)
