"""``--follow``: the output of some workers, also what is captured."""

from __future__ import annotations

import pytest
from project import Project

TALK = """
    import os, subprocess, sys, time
    import pytest

    @pytest.fixture
    def prepared():
        print("prepared")
        yield
        print("cleared")

    @pytest.mark.parametrize("number", range(6))
    def test_talk(prepared, number):
        for part in "abc":
            print(part, number)
            time.sleep(0.03)
        subprocess.run(["sh", "-c", "echo from a subprocess"])
        print("trouble", number, file=sys.stderr)
        assert number != 2 and number != 3
"""
ALL = ["prepared", "a {0}", "b {0}", "c {0}", "from a subprocess", "cleared"]


def prefixed(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("[gw") and " test_talk[" in line:
            label, _, rest = line[1:].partition("]] ")
            found.setdefault(f"{label}]", []).append(rest)
    return found


@pytest.mark.parametrize("capture", ["--capture=fd", "-s", "--capture=tee-sys"])
def test_only_that_worker(project: Project, method: str, capture: str) -> None:
    project.files(test_a=TALK)
    run = project.run("-n2", method, capture, "--follow=gw1", "--no-summary")
    found = prefixed(run.out)
    assert len(found) >= 1
    for label, lines in found.items():
        worker, test = label.split()
        assert worker == "gw1"
        assert lines == [text.format(test[-2]) for text in ALL]
        assert f"[gw1 {test}] trouble {test[-2]}" in run.err
    assert run.counts["failed"] == 2


def test_what_is_followed_is_captured_as_well(project: Project) -> None:
    """Reports of a followed worker are those of any other."""
    project.files(test_a=TALK)
    plain = project.run("-n2", record=True)
    run = project.run("-n2", "--follow=gw0,gw1", record=True)

    def sections(record: dict) -> dict:
        return {(r["nodeid"], r["when"]): r.get("sections") for r in record["reports"]}

    assert sections(run.recorded) == sections(plain.recorded)
    assert len(prefixed(run.out)) == 6


def test_followed_to_the_last_word(project: Project) -> None:
    project.files(test_a="import os\ndef test_dies():\n    print('last', 'words', end='')\n    os._exit(1)\n")
    run = project.run("-n1", "--follow=gw0")
    assert "last words" in run.lines


def test_log_of_that_worker_only(project: Project) -> None:
    project.files(
        test_a="""
        import logging, pytest, time
        @pytest.mark.parametrize("number", range(6))
        def test_log(number, worker_id):
            logging.warning("by %s", worker_id)
            time.sleep(0.05)
    """
    )
    run = project.run("-n2", "--follow=gw1", "-o", "log_cli=1")
    run.match("*gw1 test_log* by gw1")
    run.no_match("*by gw0*")


def test_serial_runs_ignore_it(project: Project) -> None:
    project.files(test_a="def test_a(): pass\n")
    assert project.run("--follow=gw0").ret == 0


@pytest.mark.parametrize("name", ["gw", "3", "gw1,", "master"])
def test_not_the_name_of_a_worker(project: Project, name: str) -> None:
    project.files(test_a="def test_a(): pass\n")
    run = project.run("-n2", f"--follow={name}")
    assert run.ret == 4
    assert "not the name of a worker" in run.err


def test_not_with_what_cannot_be_read_along(project: Project) -> None:
    project.files(test_a="def test_a(): pass\n")
    run = project.run("-n2", "--follow=gw0", "--capture=sys")
    assert run.ret == 4
    assert "--capture=sys" in run.err
