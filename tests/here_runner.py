"""A runner for tests that carry out experiments in their own process."""

from benchmark.runner import Runner, attempt


class HereRunner(Runner):
    """Works in this process: the local runner starts others, which takes seconds."""

    name = "here"
    workers = 1

    def __init__(self, jobs=None, where=""):
        pass

    def run(self, function, tasks, constants=()):
        for task in tasks:
            yield attempt(function, task, constants)
