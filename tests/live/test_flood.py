"""Live output without end: memory is bounded, nobody waits for ever, and a reader may go away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from project import Project

LINES = 500_000
FLOOD = f"""
    import json, os, pathlib

    def status(pid):
        lines = pathlib.Path(f"/proc/{{pid}}/status").read_text().splitlines()
        return dict(line.split(":", 1) for line in lines)

    def peak(pid):
        return int(status(pid)["VmHWM"].split()[0])

    def test_flood():
        template = os.getppid()
        coordinator = int(status(template)["PPid"])
        controller = int(status(coordinator)["PPid"])
        before = peak(controller)
        for _ in range({LINES} // 1000):
            os.write(1, (b"x" * 99 + b"\\n") * 1000)
        found = {{"coordinator": peak(coordinator), "controller": peak(controller) - before}}
        pathlib.Path("memory.json").write_text(json.dumps(found))

    def test_beside():
        print("beside it")
"""


def test_fifty_megabytes(project: Project) -> None:
    project.files(test_a=FLOOD)
    run = project.run("-s", "-n2")
    assert run.ret == 0, run.out[-2000:]
    lines = run.out.splitlines()
    assert lines.count("[gw0 test_flood] " + "x" * 99) == LINES
    assert lines.count("[gw1 test_beside] beside it") == 1
    memory = json.loads((project.path / "memory.json").read_text())
    assert memory["coordinator"] < 40_000, "in KiB, all of it"
    assert memory["controller"] < 20_000, "what the flood added"


def test_a_line_without_end(project: Project) -> None:
    project.files(test_a="def test_long():\n    print('ä' * 2_000_000, end='')\n")
    run = project.run("-s", "-n2")
    pieces = [line.removeprefix("[gw0 test_long] ") for line in run.out.splitlines() if "ä" in line]
    assert "".join(pieces) == "ä" * 2_000_000
    assert len(pieces) < 100


def test_a_flooding_test_is_ended(project: Project) -> None:
    project.files(
        test_a="""
        def test_for_ever():
            while True:
                print("again")
        def test_other(): pass
    """
    )
    run = project.run("-s", "-n2", "--test-timeout=1", "--timeout-grace=1")
    assert run.ret == 1
    assert run.counts == {"failed": 1, "passed": 1}


def test_what_a_test_left_behind_floods(project: Project) -> None:
    project.files(
        test_a="""
        import subprocess
        def test_leaves():
            subprocess.Popen(["sh", "-c", "while true; do echo still here; done"], start_new_session=True)
        def test_other(): pass
    """
    )
    run = project.run("-s", "-n2")
    assert run.ret == 0
    assert run.counts == {"passed": 2}


@pytest.mark.parametrize("text", ["print('x' * 99)", "pass"])
def test_the_reader_goes_away(project: Project, text: str) -> None:
    project.files(test_a=f"def test_a():\n    for _ in range(100_000): {text}\ndef test_b(): pass\n")
    marker = f"LIVE_TEST_{uuid.uuid4().hex}"
    command = f"{sys.executable} -m pytest -s -n2 | head -1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=project.path, env={**os.environ, marker: "1"}, capture_output=True, timeout=60
    )
    assert len(done.stdout.splitlines()) == 1
    assert not left_behind(marker)


def left_behind(marker: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found
