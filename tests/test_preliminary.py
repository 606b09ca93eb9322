"""What a run shows while it goes on."""

import logging
import threading

import pytest

import benchmark
from benchmark import preliminary
from benchmark.errors import UsageError


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A real run of three images; its report and files as they were whenever a job had ended."""
    out = tmp_path_factory.mktemp("watched") / "out"
    seen = []

    def look(done, jobs):
        page = out / "report.html"
        seen.append((
            page.read_text() if page.is_file() else "",
            sorted(file.name for file in out.glob("*.csv")),
        ))  # fmt: skip

    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    log = logging.getLogger("benchmark")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preliminary, "_FIRST_AFTER_S", 0)
        patch.setattr(preliminary, "_LARGEST_SHARE", 1e9)  # whenever an image is complete
        try:
            run = benchmark.run(
                ["jpeg", "webp"], limit=3, jobs=1, anchor="jpeg", out=out, on_progress=look
            )
        finally:
            log.removeHandler(handler)
            log.setLevel(level)
    return run, seen, said


def test_the_report_can_be_opened_while_the_run_goes_on_and_says_how_far_it_is(watched):
    run, seen, _ = watched
    pages = [page for page, _ in seen]
    assert not pages[0]
    (some, *_) = [page for page in pages if "1 of 3 images at" in page]
    assert "<strong>Preliminary</strong>" in some
    assert all(f">{rate}<" in some for rate in run.summary["rate_point"])
    final = (run.path / "report.html").read_text()
    assert "<strong>Preliminary</strong>" not in final
    assert run.summary["images"].eq(3).all()


def test_tables_for_other_programs_are_those_of_the_whole_run_only(watched):
    _, seen, _ = watched
    assert all(not tables for _, tables in seen)


def test_the_deltas_so_far_are_said(watched):
    _, _, said = watched
    lines = [line for line in said if line.startswith("Preliminary, 1 of 3 images")]
    (line,) = lines
    assert "bitrate at equal wAP against jpeg in percent: webp " in line
    assert line.endswith("report.html")


def test_a_run_of_seconds_shows_its_tables_at_its_end(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(preliminary, "evaluate", lambda *_, **__: begun.append(1))
    benchmark.run(["yuv420"], limit=2, jobs=1, analysis=None, anchor="yuv420", out=tmp_path / "out")
    assert not begun


def test_jobs_go_on_while_tables_are_computed(tmp_path, monkeypatch):
    all_jobs, waited = threading.Event(), []

    def slow(*_, **__):
        waited.append(all_jobs.wait(60))
        raise UsageError("it took as long as all jobs")

    monkeypatch.setattr(preliminary, "_FIRST_AFTER_S", 0)
    monkeypatch.setattr(preliminary, "evaluate", slow)
    benchmark.run(
        ["jpeg"], limit=3, jobs=1, analysis=None, anchor="jpeg", out=tmp_path / "out",
        on_progress=lambda done, jobs: all_jobs.set() if done == jobs else None,
    )  # fmt: skip
    assert waited == [True]


def test_jobs_go_on_after_a_preliminary_table_that_could_not_be_made(tmp_path, monkeypatch, caplog):
    def stumble(*_, **__):
        raise ZeroDivisionError("in the tables")

    monkeypatch.setattr(preliminary, "_FIRST_AFTER_S", 0)
    monkeypatch.setattr(preliminary, "evaluate", stumble)
    run = benchmark.run(
        ["jpeg"], limit=2, jobs=1, analysis=None, anchor="jpeg", out=tmp_path / "out"
    )
    assert run.summary["images"].eq(2).all()
    assert "no preliminary table: ZeroDivisionError: in the tables" in caplog.text
