"""Dask clusters of real processes whose scheduler, workers and client die and come back."""

import logging
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer

import PIL.Image
import pytest
from distributed import Client

import benchmark
from benchmark.datasets.miniscapes.scene import draw_scene
from benchmark.errors import UsageError
from benchmark.run.run_folder import RunFolder
from benchmark.runner import Finished, open_runner

SLOW_S = 0.15
_REPOSITORY = Path(__file__).parents[2]
"""Workers import this module."""


class Cluster:
    """A scheduler and worker processes, started as the documentation says."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.spec = f"dask:tcp://127.0.0.1:{self.port}"
        self.processes = {}

    def _start(self, name, *arguments, **named):
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--no-dashboard"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **named,
        )  # fmt: skip

    def start_scheduler(self):
        self._start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", str(self.port))

    def start_workers(self, name="workers", environment=None):
        self._start(
            name,
            *("worker", f"tcp://127.0.0.1:{self.port}", "--nthreads", "1", "--nworkers", "2"),
            *("--local-directory", str(self.folder / name), "--death-timeout", "60"),
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(_REPOSITORY), **(environment or {})},
        )

    def kill(self, name):
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def cluster_in(folder, **environment):
    cluster = Cluster(folder)
    cluster.start_scheduler()
    cluster.start_workers(environment=environment)
    deadline = time.monotonic() + 60
    try:
        while True:
            try:
                runner = open_runner(cluster.spec, None)
                break
            except UsageError:
                assert time.monotonic() < deadline
                time.sleep(0.5)
        runner.close()
        yield cluster
    finally:
        for name in list(cluster.processes):
            cluster.kill(name)


def slow(factor, task):
    time.sleep(SLOW_S)
    return factor * task


def test_scheduler_and_workers_that_die_and_come_back_lose_nothing(tmp_path):
    with cluster_in(tmp_path) as cluster:
        runner = open_runner(cluster.spec, None)
        some_done, failed = Event(), []

        def disturb():
            try:
                assert some_done.wait(60)
                cluster.kill("scheduler")
                time.sleep(1)
                cluster.start_scheduler()
                cluster.kill("workers")
                cluster.start_workers()
                time.sleep(4)
                cluster.kill("workers")
                cluster.start_workers("others")
            except Exception as error:  # seen below
                failed.append(error)

        thread = Thread(target=disturb)
        thread.start()
        outcomes = []
        for outcome in runner.run(slow, range(120), (3,)):
            outcomes.append(outcome)
            if len(outcomes) == 5:
                some_done.set()
        thread.join()
        runner.close()
    assert not failed
    assert sorted(outcomes, key=lambda its: its.task) == [Finished(n, 3 * n) for n in range(120)]


def test_a_scheduler_that_dies_while_the_constants_are_handed_out_is_waited_for(
    tmp_path, monkeypatch
):
    with cluster_in(tmp_path) as cluster:
        runner = open_runner(cluster.spec, None)
        deaths = []

        def die_and_come_back():
            cluster.kill("scheduler")
            cluster.start_scheduler()
            cluster.start_workers()

        def scatter(client, *arguments, **named):
            if not deaths:
                deaths.append("workers")
                cluster.kill("workers")
                time.sleep(0.5)
                Timer(1, die_and_come_back).start()  # the scheduler looks for workers for longer
            return whole(client, *arguments, **named)

        whole = Client.scatter
        monkeypatch.setattr(Client, "scatter", scatter)
        outcomes = list(runner.run(slow, range(4), (3,)))
        runner.close()
    assert deaths
    assert sorted(outcomes, key=lambda its: its.task) == [Finished(n, 3 * n) for n in range(4)]


@pytest.fixture
def scenes(tmp_path, monkeypatch):
    """Images at a path that means another folder in each process: that of the workers is empty.

    So the workers here stand for those of another machine, which do not see the files of this one.
    """
    here = tmp_path / "here"
    (here / "scenes").mkdir(parents=True)
    for number in range(2):
        PIL.Image.fromarray(draw_scene(number).image).save(here / f"scenes/{number}.png")
    monkeypatch.chdir(here)
    return "images:/proc/self/cwd/scenes"


def measured(run):
    return sorted((record.key, record.sha256, record.qualities) for record in run_records(run))


def run_records(run):
    return RunFolder(run.path).records()


@pytest.mark.skipif(not Path("/proc/self/cwd").is_dir(), reason="needs Linux' /proc")
def test_workers_that_do_not_see_the_images_get_them(tmp_path, scenes, caplog):
    caplog.set_level(logging.INFO, "benchmark")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    asked = {"codecs": ["jpeg", "webp"], "dataset": scenes, "analysis": None, "anchor": "jpeg"}
    here = benchmark.run(**asked, out=tmp_path / "local", jobs=1)
    with cluster_in(elsewhere) as cluster:
        there = benchmark.run(**asked, out=tmp_path / "dask", runner=cluster.spec)
        assert there.outcome.finished == len(run_records(there)) > 20
        again = benchmark.run(
            **asked, out=tmp_path / "again", runner=cluster.spec, bitstreams=here.path
        )
    assert measured(there) == measured(here) == measured(again)
    assert "images are sent to them" in caplog.text


def test_workers_with_other_software_are_named_before_the_first_task(tmp_path, caplog):
    with cluster_in(tmp_path, BENCHMARK_FFMPEG="/nowhere/ffmpeg") as cluster:
        benchmark.run(
            ["vvenc", "jpeg"], rates=["vvenc:qp52", "jpeg:quality30"], limit=1, analysis=None,
            anchor="jpeg", out=tmp_path / "out", runner=cluster.spec,
        )  # fmt: skip
    (line,) = [its.getMessage() for its in caplog.records if "codec vvenc" in its.getMessage()]
    assert "codec vvenc not available (" in line and "here it is" in line
    assert line.count("tcp://127.0.0.1:") == 2
    assert "codec jpeg" not in caplog.text


@pytest.mark.long
def test_twenty_random_faults_leave_the_results_of_an_undisturbed_run(tmp_path):
    """Worker, scheduler or client is killed at a random time, twenty times over."""
    chance = random.Random(0)
    command = ["run", "--codecs", "jpeg", "webp", "--anchor", "jpeg", "--limit", "16"]
    here = benchmark.run(["jpeg", "webp"], anchor="jpeg", limit=16, out=tmp_path / "local")

    def start(cluster):
        return subprocess.Popen(
            [sys.executable, "-m", "benchmark", *command, "--runner", cluster.spec,
             "--out", str(tmp_path / "dask")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    with cluster_in(tmp_path) as cluster:
        client = start(cluster)
        for number in range(20):
            time.sleep(chance.uniform(1, 6))
            fault = chance.choice(["worker", "scheduler", "client"])
            print(number, fault, flush=True)
            assert client.poll() is None, client.communicate()[0]
            if fault == "worker":
                cluster.kill("workers")
                cluster.start_workers()
            elif fault == "scheduler":
                cluster.kill("scheduler")
                cluster.start_scheduler()
                cluster.kill("workers")
                cluster.start_workers()
            else:
                os.killpg(client.pid, signal.SIGKILL)
                client.wait()
                client = start(cluster)
        out, _ = client.communicate(timeout=600)
        assert client.returncode == 0, out
    there = benchmark.open_run(tmp_path / "dask", anchor="jpeg")
    assert measured(there) == measured(here)
    same = [name for name in here.summary if not name.endswith("_s")]
    assert there.summary[same].equals(here.summary[same])
    keys = [line.key for line in run_records(there)]
    assert len(keys) == len(set(keys))
