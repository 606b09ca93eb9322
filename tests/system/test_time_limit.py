"""Time limits stop what goes on for ever, and nothing else."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time

import pytest

from benchmark.system.time_limit import TimeLimitExceeded, time_limit


def test_work_within_its_limit_is_left_alone() -> None:
    with time_limit(30):
        time.sleep(0.01)
    with time_limit(None):
        pass


@pytest.mark.parametrize("work", [lambda: time.sleep(60), lambda: _spin()])
def test_sleeping_and_spinning_are_stopped(work) -> None:
    started = time.monotonic()
    message = r"stopped at its time limit of 0\.2 s"
    with pytest.raises(TimeLimitExceeded, match=message), time_limit(0.2):
        work()
    assert time.monotonic() - started < 30


def test_a_handler_of_exceptions_does_not_hold_it_up() -> None:
    with pytest.raises(TimeLimitExceeded), time_limit(0.2):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(60)


def test_a_process_that_does_not_come_back_to_python_is_ended() -> None:
    program = (
        "import re; from benchmark.system import time_limit as t; t._GRACE_S = 0.5\n"
        "with t.time_limit(0.2, end_process=True): re.match('(a+)+$', 40 * 'a' + 'b')"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == 1


def test_python_code_in_another_thread_is_stopped() -> None:
    found = []

    def work() -> None:
        try:
            with time_limit(0.2):
                _spin()
        except TimeLimitExceeded as error:
            found.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert found == ["stopped at its time limit of 0.2 s"]


def _spin() -> None:
    while True:
        pass
