"""External programs: what ends them, and what is said of it."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from benchmark.errors import ProgramError
from benchmark.system.programs import outline, run_program, working_folder


def python(text):
    return [sys.executable, "-c", text]


BUSY = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"


def test_the_output_is_returned_and_the_input_read():
    program = python("import sys; sys.stdout.write(sys.stdin.read().upper())")
    assert run_program(program, stdin=b"abc", timeout=60) == b"ABC"


def test_time_limits_count_the_processor_and_not_the_clock():
    started = time.monotonic()
    assert run_program(python("import time; time.sleep(2); print(7)"), timeout=1) == b"7\n"
    assert time.monotonic() - started > 2


def test_a_program_is_not_ended_because_others_compute_too():
    """Four times as many busy processes as cores: the clock runs past the limit long before."""
    others = [
        subprocess.Popen(python("while True: pass"))
        for _ in range(4 * len(os.sched_getaffinity(0)))
    ]
    try:
        started = time.monotonic()
        run_program(python(BUSY.format(1)), timeout=2)
        assert time.monotonic() - started > 2
    finally:
        for other in others:
            other.kill()
            other.wait()


@pytest.mark.parametrize(
    "text",
    [
        BUSY.format(60),
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY.format(60)!r}])",
    ],
    ids=["itself", "in a process that it starts"],
)
def test_a_program_that_computes_too_long_is_ended(text):
    with pytest.raises(ProgramError, match=r"did not end within 0.5 s of processor time"):
        run_program(python(text), timeout=0.5)


def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    noted = tmp_path / "number"
    shell = f"sleep 60 & echo $! > {noted}; wait"
    with pytest.raises(ProgramError, match=r"sh hangs: 10 s, of which it computed 0.0 s"):
        run_program(["/bin/sh", "-c", shell], timeout=0.1)
    with pytest.raises(psutil.NoSuchProcess):
        while psutil.Process(int(noted.read_text())).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.05)
        raise psutil.NoSuchProcess(0)


def test_the_first_and_the_last_lines_are_kept():
    printed = "".join(f"[x @ 0x55d0{number:04x}] line {number}\n" for number in range(1, 21))
    assert outline(printed.encode()) == (
        "[x] line 1 | [x] line 2 | [x] line 3 | ... | [x] line 18 | [x] line 19 | [x] line 20"
    )
    assert outline(b"again\nagain\n\nand then\n") == "again | and then"
    assert outline(b" \n") == "it printed nothing"


def test_a_temporary_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    for use in (
        lambda: run_program(["true"], timeout=60),
        lambda: working_folder("x").__enter__(),
    ):
        with pytest.raises(ProgramError, match=r"temporary files cannot be written \(No such file"):
            use()


def test_a_program_that_cannot_be_started_is_named(tmp_path):
    (tmp_path / "text").write_text("no program")
    with pytest.raises(ProgramError, match="text cannot be started: Permission denied"):
        run_program([tmp_path / "text"], timeout=60)
