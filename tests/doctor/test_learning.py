"""What the doctor has found is minded by later runs, until the tests change."""

from __future__ import annotations

from typing import Any

from conftest import CORPUS, Doctor

KEPT = "2 tests are kept apart, as `outpace doctor` found them in each other's way: port 45881"
DROPPED = "2 tests are not kept apart any more, since a file changed"

# The fixture outlives the test that binds; others of its file and of none run in between.
SERVER = """
import socket, time
import pytest

@pytest.fixture(scope="module")
def server():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 45883))
        server.listen()
        yield server

def test_uses(server): time.sleep(0.1)

@pytest.mark.parametrize("number", range(3))
def test_other(number): time.sleep(0.1)

def test_uses_it_again(server): time.sleep(0.1)
"""


def on_port(doctor: Doctor, port: int) -> Doctor:
    """These tests run beside each other and beside those of the corpus: each suite has a port of its own."""
    for file in doctor.folder.glob("test_*.py"):
        file.write_text(file.read_text().replace("45871", str(port)))
    return doctor


def test_it_is_minded_until_a_file_changes_or_nobody_wants_it(doctor_on: Any) -> None:
    doctor = on_port(doctor_on(CORPUS / "port"), 45881)
    examined = doctor.examine("--rounds", "1")
    assert "Remembered: from now on runs with `-n` keep 2 tests apart" in examined.out
    minded = doctor.parallel()
    assert minded.returncode == 0 and KEPT in minded.stdout, minded.stdout
    assert "kept apart" not in doctor.parallel("--no-history").stdout
    assert "kept apart" not in doctor.parallel("test_a.py").stdout
    file = doctor.folder / "test_a.py"
    text = file.read_text()
    file.write_text(text + "# changed\n")
    assert DROPPED in doctor.parallel().stdout
    file.write_text(text)
    assert KEPT in doctor.parallel().stdout
    # What is mended is forgotten by the next examination.
    file.write_text(text.replace("45881", "0"))
    assert doctor.examine("--rounds", "1").findings == []
    mended = doctor.parallel()
    assert mended.returncode == 0 and "kept apart" not in mended.stdout, mended.stdout


def test_without_a_history_nothing_is_remembered(doctor_on: Any) -> None:
    doctor = on_port(doctor_on(CORPUS / "port"), 45882)
    examined = doctor.examine("--rounds", "1", "--no-history")
    assert "Not remembered: no history is kept." in examined.out
    assert not (doctor.folder / ".pytest_cache").exists()


def test_what_a_fixture_of_the_module_has_is_held_until_that_is_torn_down(doctor: Doctor) -> None:
    for name in ("test_a.py", "test_b.py"):
        (doctor.folder / name).write_text(SERVER)
    examined = doctor.examine("--rounds", "2")
    assert [finding["class"] for finding in examined.findings] == ["parallel-only"], examined.out
    for mode in ("load", "worksteal", "loadfile"):
        done = doctor.parallel("--dist", mode)
        assert done.returncode == 0 and "kept apart" in done.stdout, done.stdout
