"""The probe project: run once, looked at by many tests. Reads what ``probe_plugin`` wrote.

A probe is (the run, the controller's notes, the notes of each worker by id).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from project import Project, Run

TESTS = 12
RUN_UID = "the-run-uid"

_TEST_MANY = f"""
    import os, sys, threading, time
    import pytest
    import xdist

    @pytest.mark.parametrize("i", range({TESTS}))
    def test_many(i, note, worker_id, testrun_uid, request):
        time.sleep(0.02)
        note(
            worker_id=worker_id, testrun_uid=testrun_uid, environ=os.environ.get("PYTEST_XDIST_WORKER"),
            is_worker=xdist.is_xdist_worker(request), is_controller=xdist.is_xdist_controller(request),
            is_master=xdist.is_xdist_master(request.session), function_id=xdist.get_xdist_worker_id(request),
            main_thread=threading.current_thread() is threading.main_thread(), pid=os.getpid(),
            stdin=os.read(0, 10).decode(), argv=sys.argv, blank_path="" in sys.path,
            extra=repr(getattr(request.config, "workerinput", {{}}).get("probe extra")),
        )
        print("seen by the report")
        print("seen as well", file=sys.stderr)
"""
_TEST_KINDS = """
    import pytest

    def test_fails(): assert [1, 2] == [1, 3]
    @pytest.mark.skip(reason="not now")
    def test_skips(): pass
    @pytest.mark.xfail(reason="known")
    def test_xfails(): assert 0
    def test_properties(record_property): record_property("answer", 42)
"""


@dataclass(frozen=True)
class Probe:
    run: Run
    controller: dict[str, Any]
    workers: dict[str, dict[str, Any]]


def distributed(folder: Path) -> Probe:
    project, notes = _project(folder)
    run = project.run("-n2", f"--testrunuid={RUN_UID}", "-p", "probe_plugin", env={"PROBE_FOLDER": str(notes)})
    return _read(run, notes)


def serial(folder: Path) -> Probe:
    project, notes = _project(folder)
    return _read(project.run("-n0", "-p", "probe_plugin", env={"PROBE_FOLDER": str(notes)}), notes)


def _project(folder: Path) -> tuple[Project, Path]:
    project, notes = Project(folder / "project"), folder / "notes"
    project.path.mkdir()
    notes.mkdir()
    return project.files(test_many=_TEST_MANY, test_kinds=_TEST_KINDS), notes


def _read(run: Run, notes: Path) -> Probe:
    found = [json.loads(path.read_text()) for path in sorted(notes.iterdir())]
    controllers = [data for data in found if data["worker"] is None]
    assert len(controllers) == 1, run.out + run.err
    return Probe(run, controllers[0], {data["worker"]: data for data in found if data["worker"] is not None})
