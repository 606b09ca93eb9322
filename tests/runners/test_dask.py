"""Tasks on a real Dask scheduler with two worker processes."""

import os
import signal
import time
from collections.abc import Sequence
from threading import Timer

import pytest
from distributed import Client, LocalCluster

from benchmark.errors import UsageError
from benchmark.runner import Failed, Finished, open_runner


def fail_on_three(task):
    if task == 3:
        raise UsageError("three is not liked")
    return os.getpid(), 2 * task


def die_on_three(task):
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def test_tasks_are_carried_out_by_the_workers(cluster):
    runner = open_runner(f"dask:{cluster.scheduler_address}", None)
    assert runner.workers == 2
    outcomes = {o.task: o for o in runner.run(fail_on_three, range(8))}
    assert outcomes.pop(3) == Failed(3, "three is not liked")
    results = {task: outcome.result for task, outcome in outcomes.items()}
    assert {task: value for task, (_, value) in results.items()} == {n: 2 * n for n in outcomes}
    pids = {pid for pid, _ in results.values()}
    assert len(pids) == 2
    assert os.getpid() not in pids


class Read(Sequence):
    """Tasks that note when they are made."""

    def __init__(self):
        self.made = 0

    def __len__(self):
        return 30

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError
        self.made += 1
        return index


def test_tasks_are_made_when_they_are_handed_out(cluster):
    """They may hold whole images."""
    runner, tasks = open_runner(f"dask:{cluster.scheduler_address}", None), Read()
    made = [tasks.made for _ in runner.run(fail_on_three, tasks)]
    assert made[0] <= 2 * runner.workers
    assert len(made) == made[-1] == 30


def test_results_that_are_there_are_fetched_together(cluster, monkeypatch):
    together = []

    def gather(client, futures):
        together.append(len(futures))
        return whole(client, futures)

    whole = Client.gather
    monkeypatch.setattr(Client, "gather", gather)
    runner = open_runner(f"dask:{cluster.scheduler_address}", None)
    for outcome in runner.run(fail_on_three, range(12)):
        assert outcome.task in range(12)
        time.sleep(0.3)  # others end meanwhile
    assert sum(together) == 12
    assert max(together) > 1


def test_a_worker_that_dies_does_not_stop_the_others(cluster):
    runner = open_runner(f"dask:{cluster.scheduler_address}", None)
    outcomes = {o.task: o for o in runner.run(die_on_three, range(8))}
    assert "workers died" in outcomes.pop(3).reason
    assert outcomes == {n: Finished(n, n) for n in range(8) if n != 3}


def test_a_scheduler_that_is_not_there_is_said():
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        open_runner("dask:tcp://127.0.0.1:9", None)
    with pytest.raises(UsageError, match="is not of the form dask:tcp://HOST:PORT"):
        open_runner("dask", None)


def test_workers_that_are_still_to_come_are_waited_for(caplog):
    with LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None) as cluster:
        later = Timer(2, lambda: cluster.scale(1))
        later.start()
        runner = open_runner(f"dask:{cluster.scheduler_address}", None)
        later.join()
        assert runner.workers == 1
        assert [its.result[1] for its in runner.run(fail_on_three, [1])] == [2]
    assert "has no workers: waiting" in caplog.text
