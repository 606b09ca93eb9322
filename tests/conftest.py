"""What the tests share: running the command line as a user does."""

import subprocess
import sys

import pytest

pytest_plugins = ["drawn_scenes", "made_runs"]


@pytest.fixture
def benchmark_command(tmp_path):
    """Runs ``python -m benchmark`` in an empty folder; returns the finished process."""

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "benchmark", *map(str, arguments)],
            cwd=tmp_path,
            env=_environment(environment),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def _environment(changes):
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith("VTM_")}
    return kept | {name: str(value) for name, value in changes.items()}
