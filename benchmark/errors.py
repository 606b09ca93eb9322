"""Errors that are the user's to mend: one clear line each."""


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
