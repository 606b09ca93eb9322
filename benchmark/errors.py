"""Errors that are the user's to mend: one clear line each."""


class UsageError(Exception):
    """What was asked for does not exist or does not fit together.

    The message says what was found, where, and what to do; the command line prints it and ends
    with exit code 2.
    """
