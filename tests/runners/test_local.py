"""Tasks in real worker processes: all are carried out, whatever happens to some."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.errors import UsageError
from benchmark.runner import Failed, Finished, open_runner


def double(task):
    return 2 * task


def threads(task):
    import torch

    return torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]


def fail_on_three(task):
    if task == 3:
        raise UsageError("three is not liked")
    if task == 4:
        raise ZeroDivisionError("four")
    return task


def leave_on_three(task):
    if task == 3:
        sys.exit("three leaves")
    if task == 4:
        raise KeyboardInterrupt
    if task == 5 and os.fork() == 0:
        raise RuntimeError("a copy of the worker")
    return task


def die_on_three(task):
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_all_tasks_are_carried_out():
    outcomes = list(open_runner("local", 2).run(double, range(9)))
    assert {outcome.task: outcome.result for outcome in outcomes} == {n: 2 * n for n in range(9)}


def test_a_worker_has_one_thread():
    (outcome,) = open_runner("local", 1).run(threads, [0])
    assert outcome.result == (1, "1")


def test_a_task_that_raises_does_not_stop_the_others():
    outcomes = {o.task: o for o in open_runner("local", 2).run(fail_on_three, range(6))}
    assert outcomes.pop(3) == Failed(3, "three is not liked")
    assert "ZeroDivisionError" in outcomes.pop(4).reason
    assert all(isinstance(outcome, Finished) for outcome in outcomes.values())


def test_a_task_that_exits_interrupts_or_forks_does_not_stop_the_others():
    outcomes = {o.task: o for o in open_runner("local", 2).run(leave_on_three, range(9))}
    assert "SystemExit" in outcomes.pop(3).reason
    assert "KeyboardInterrupt" in outcomes.pop(4).reason
    assert outcomes == {n: Finished(n, n) for n in range(9) if n not in (3, 4)}


def test_a_worker_that_dies_does_not_stop_the_others():
    outcomes = {o.task: o for o in open_runner("local", 2).run(die_on_three, range(12))}
    assert "worker process died" in outcomes.pop(3).reason
    assert outcomes == {n: Finished(n, n) for n in range(12) if n != 3}


def test_an_unknown_runner_is_named():
    with pytest.raises(UsageError, match=r"no runner 'cloud': there are .*local"):
        open_runner("cloud", None)


def test_workers_and_their_programs_end_with_the_main_process(tmp_path):
    script = tmp_path / "main.py"
    script.write_text(
        "import subprocess, pathlib, os\n"
        "from benchmark.runner import open_runner\n"
        "def work(task):\n"
        "    program = subprocess.Popen(['sleep', '600'])\n"
        "    pathlib.Path(task).write_text(f'{os.getpid()} {program.pid}')\n"
        "    program.wait()\n"
        "list(open_runner('local', 1).run(work, ['pids']))\n"
    )
    main = subprocess.Popen([sys.executable, script], cwd=tmp_path)
    pids = tmp_path / "pids"
    _wait(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    main.kill()
    main.wait()
    _wait(lambda: not any(_alive(pid) for pid in pids.read_text().split()))


def test_constants_are_handed_to_the_function_before_each_task():
    outcomes = open_runner("local", 1).run(_scaled, [1, 2], constants=([10.0] * 1000, 3))
    assert sorted(outcome.result for outcome in outcomes) == [13, 23]


def _scaled(factors, offset, task):
    return factors[task] * task + offset


def _wait(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except FileNotFoundError:
        return False


def note(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(1)  # the other worker takes the other call
    raise ZeroDivisionError("nobody is told")


def process(task):
    time.sleep(0.2)
    return os.getpid()


def processes(runner):
    return {outcome.result for outcome in runner.run(process, range(4))}


def test_workers_begin_before_the_first_task(tmp_path):
    runner = open_runner("local", 2)
    processes(runner)  # pools of former tests may have had another size
    runner.warm_up(functools.partial(note, tmp_path))
    assert processes(runner) == {int(file.name) for file in tmp_path.iterdir()}


def surroundings(task):
    return os.environ.get("BENCHMARK_FFMPEG"), Path.cwd()


def test_workers_that_were_kept_see_the_present_folder_and_environment(tmp_path, monkeypatch):
    runner = open_runner("local", 2)
    processes(runner)
    monkeypatch.chdir(tmp_path)
    (moved,) = runner.run(surroundings, [0])
    assert moved.result[1] == tmp_path
    monkeypatch.setenv("BENCHMARK_FFMPEG", "another")
    (changed,) = runner.run(surroundings, [0])
    assert changed.result == ("another", tmp_path)


@pytest.mark.long
def test_workers_wait_for_more_tasks():
    runner = open_runner("local", 2)
    before = processes(runner)
    time.sleep(15)
    assert processes(runner) == before
