"""Workers that die: in every phase, in every way, between tests and while they report, in every mode."""

from __future__ import annotations

import pytest

from . import deaths
from .arena import Arena
from .verdict import Run


def check(run: Run, dying: dict[str, str], living: list[str], times: int) -> None:
    assert run.code == 1, run.output
    assert run.crashed == dict.fromkeys(dying, times), run.output
    run.assert_accounted([*dying, *living], times=times)
    assert run.not_run == 0 and not run.interrupted, run.output
    for nodeid, said in dying.items():
        text = run.crash_texts[nodeid]
        assert f"crashed while running {nodeid!r}" in text
        assert text.splitlines()[-1] == said, f"{nodeid}: {text}"
    outcomes = {report["nodeid"]: report["outcome"] for report in run.reports if report["when"] == "call"}
    assert {nodeid: outcomes.get(nodeid) for nodeid in living} == dict.fromkeys(living, "passed")
    assert sum("replacing crashed worker" in line for line in run.lines) >= 1
    run.assert_clean()


def test_every_way_in_every_phase(arena: Arena, mode: str) -> None:
    dying, living = deaths.write(arena, deaths.WAYS, tuple(deaths.GAPS))
    run = arena.run("-n2", "--start-method=fork", f"--dist={mode}", "--max-worker-restart=1000")
    check(run, dying, living, 2 if mode == "each" else 1)


def test_spawned_workers(arena: Arena) -> None:
    dying, living = deaths.write(arena, {"sigkill": deaths.WAYS["sigkill"]}, ("logfinish",))
    run = arena.run("-n2", "--start-method=spawn", "--max-worker-restart=1000")
    check(run, dying, living, 1)


@pytest.mark.parametrize("restarts", [0, 3])
def test_restart_budget(arena: Arena, mode: str, restarts: int) -> None:
    """When no worker may be replaced any more, the run ends, and says what it did not run."""
    arena.write(
        "test_a.py",
        """
        import os, pytest
        @pytest.mark.parametrize("i", range(40))
        def test_a(i): os._exit(9)
        """,
    )
    run = arena.run("-n2", f"--dist={mode}", f"--max-worker-restart={restarts}")
    collection = [f"test_a.py::test_a[{i}]" for i in range(40)]
    assert run.code == 1
    run.assert_accounted(collection, times=2 if mode == "each" else 1)
    assert 1 <= sum(run.crashed.values()) <= restarts + 2
    times = 2 if mode == "each" else 1
    assert run.not_run == 40 - sum(count == times for count in run.crashed.values())
    run.assert_says("worker restarting disabled" if restarts == 0 else "maximum crashed workers reached: 3")
    run.assert_clean()
