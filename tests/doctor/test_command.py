"""The command: what it writes, refuses and returns, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import CORPUS, EXAMPLE, HERE, Doctor
from schema import errors

SCHEMA = json.loads((HERE.parents[1] / "docs" / "doctor.schema.json").read_text())


def write(doctor: Doctor, **files: str) -> None:
    for name, text in files.items():
        (doctor.folder / f"{name}.py").write_text(text)


def test_the_conflicts_of_the_example_are_found_and_fixed(doctor_on: Any) -> None:
    doctor = doctor_on(EXAMPLE)
    folder = doctor.folder / "tests_conflicts"
    settings = folder / "pyproject.toml"
    head = '# What outpace must know\n[tool.pytest.ini_options]\npythonpath = [".."]  # the application\n'
    settings.write_text(head)
    doctor.folder = folder
    document = doctor.scratch / "PARALLEL.md"
    examined = doctor.examine("--fix", "--yes", "--write", str(document), "--fail-on", "parallel-only")
    assert examined.code == 1
    things = {(finding["class"], Path(finding["on"]["name"]).name) for finding in examined.findings}
    assert things == {
        ("parallel-only", "trading-example-report.csv"),
        ("parallel-only", "18765"),
        ("parallel-only", "trading-example-orders.db"),
        ("alone", "desk.limits"),
    }
    report = {"version": 1, "report": examined.report}
    assert errors(report, SCHEMA, SCHEMA) == []
    text = document.read_text()
    assert all(name in text for _, name in things)
    # What was there stays to the letter, and the suite passes in parallel with what was added.
    fixed = settings.read_text()
    assert fixed.startswith(head)
    assert examined.out.count("+[[tool.outpace.overrides]]") == fixed.count("[[tool.outpace.overrides]]") == 4
    passed = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "4", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(doctor.scratch)},
        capture_output=True,
        text=True,
    )
    assert passed.returncode == 0, passed.stdout


def test_the_command_it_prints_shows_the_conflict_again(doctor_on: Any) -> None:
    doctor = doctor_on(CORPUS / "file_written_by_two")
    args = ("test_import.py::test_import", "test_export.py::test_export")
    done = doctor.run("--fail-on", "parallel-only", "--pair", *args)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "report.txt" in done.stdout and "reproduced 5 of 5" in done.stdout
    only_one = doctor.run("--pair", "test_import.py::test_import", "test_import.py::test_import")
    assert only_one.returncode == 4
    assert "--pair needs two tests, not 1" in only_one.stderr


def test_a_pair_that_meets_in_programs_it_starts(doctor_on: Any) -> None:
    """Python tells nothing of that: the kernel does."""
    doctor = doctor_on(CORPUS / "subprocess_writes")
    done = doctor.run("--pair", "test_a.py::test_a", "test_b.py::test_b")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 tests meet on" in done.stdout and "answer" in done.stdout
    assert "test_a.py:6" in done.stdout and "test_b.py:6" in done.stdout


def test_a_project_that_was_moved_after_it_was_compiled(
    doctor_on: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    doctor = doctor_on(CORPUS / "counter_file")
    doctor.parallel("--collect-only")
    assert list(doctor.folder.glob("__pycache__/*.pyc"))
    doctor.folder = doctor.folder.rename(tmp_path / "moved")
    examined = doctor.examine("--rounds", "1")
    (finding,) = examined.findings
    assert finding["class"] == "parallel-only" and finding["on"]["kind"] == "file", examined.out


def test_two_that_are_not_in_each_others_way(doctor: Doctor) -> None:
    write(doctor, test_a="def test_a(): pass\ndef test_b(): pass\n")
    done = doctor.run("--pair", "test_a.py::test_a", "test_a.py::test_b")
    assert done.returncode == 0
    assert "do not fail" in done.stdout


def test_without_yes_nothing_is_written_when_nobody_is_there(doctor_on: Any) -> None:
    doctor = doctor_on(CORPUS / "lock_file")
    done = doctor.run("--fix", "--rounds", "1")
    assert "+resources = ['file app.lock']" in done.stdout, done.stdout
    assert "say --yes" in done.stdout
    assert not (doctor.folder / "pyproject.toml").exists()


def test_settings_that_cannot_be_extended_are_left_alone(doctor_on: Any) -> None:
    doctor = doctor_on(CORPUS / "lock_file")
    settings = doctor.folder / "pyproject.toml"
    text = "[tool.outpace]\noverrides = []\n"
    settings.write_text(text)
    done = doctor.run("--fix", "--yes", "--rounds", "1")
    assert done.returncode == 4
    assert "do not fit into" in done.stderr
    assert settings.read_text() == text


def test_what_fails_serially_is_set_aside(doctor: Doctor) -> None:
    write(doctor, test_a="def test_bad(): assert 0\ndef test_good(): pass\n")
    examined = doctor.examine("--rounds", "1", "--fail-on", "any")
    assert examined.code == 0
    assert [each["id"] for each in examined.report["aside"]] == ["test_a.py::test_bad"]
    assert "set aside, fails serially: test_a.py::test_bad" in examined.out


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_of_that_name\n", "nothing_of_that_name"),
        ("", "no test ran serially"),
        ("import os\ndef test_a(): os._exit(3)\n", "did not end well: exit code 3"),
    ],
    ids=["import", "empty", "exits"],
)
def test_without_a_serial_run_it_says_why(doctor: Doctor, source: str, said: str) -> None:
    write(doctor, test_a=source)
    done = doctor.run()
    assert done.returncode == 1
    assert "There is no serial run to compare with" in done.stdout
    assert said in done.stdout


def test_a_suite_that_hangs_serially_is_named_with_the_line(doctor: Doctor) -> None:
    write(doctor, test_a="import time\ndef test_good(): pass\ndef test_hangs():\n    time.sleep(1000)\n")
    done = doctor.run("--test-timeout", "2")
    assert done.returncode == 1
    assert "test_a.py::test_hangs does not end (at test_a.py:4)" in done.stdout


def test_a_test_that_hangs_only_in_parallel_is_ended_and_explained(doctor: Doctor) -> None:
    waits = (
        "import os, tempfile, time\n"
        "LOCK = os.path.join(tempfile.gettempdir(), 'lock')\n"
        "def test_{0}():\n"
        "    open(LOCK + '{0}', 'w').close()\n"
        "    time.sleep(0.3)\n"
        "    while os.path.exists(LOCK + '{1}'):\n        time.sleep(0.01)\n"
        "    os.remove(LOCK + '{0}')\n"
    )
    write(doctor, test_a=waits.format("a", "b"), test_b=waits.format("b", "a"))
    examined = doctor.examine("--rounds", "1", "--test-timeout", "3")
    assert [finding["class"] for finding in examined.findings] == ["parallel-only"], examined.out
    assert "Timeout" in examined.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--fail-on", "ordre"], "choose from"),
        (["--workers", "1"], "1 is not in 2..=256"),
        (["--write", "no/such/folder/x.md"], "cannot be written"),
        (["--json", "."], "cannot be written"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(doctor: Doctor, args: list[str], said: str) -> None:
    write(doctor, test_a="def test_a(): open('ran', 'w')\n")
    done = doctor.run(*args)
    assert done.returncode == 4
    assert said in done.stderr
    assert not (doctor.folder / "ran").exists()


def test_a_configuration_that_cannot_be_read(doctor: Doctor) -> None:
    write(doctor, test_a="def test_a(): pass\n")
    (doctor.folder / "pyproject.toml").write_text("[tool.outpace\n")
    done = doctor.run()
    assert done.returncode == 1
    assert "pyproject.toml" in done.stdout


def test_an_interrupt_ends_everything(doctor: Doctor) -> None:
    write(doctor, test_a="import time\ndef test_a():\n    open('began', 'w').close()\n    time.sleep(1000)\n")
    binary = os.path.join(os.path.dirname(sys.executable), "outpace")
    environ = {**os.environ, "TMPDIR": str(doctor.scratch)}
    running = subprocess.Popen(
        [binary, "doctor", "--python", sys.executable], cwd=doctor.folder, env=environ, stderr=subprocess.PIPE
    )
    while not (doctor.folder / "began").exists():
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 2
    assert b"interrupted" in said
    assert not list(doctor.scratch.glob("outpace-doctor-*"))
