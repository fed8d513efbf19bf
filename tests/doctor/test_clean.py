"""Suites without conflicts are not accused of any."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from conftest import EXAMPLE, Doctor

FRIENDLY = """
import os
import pathlib
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import pytest

HERE = pathlib.Path(__file__).parent
known = {}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("shared")
    (path / "data").write_text("1")
    return path


@pytest.fixture(scope="module", autouse=True)
def settings():
    os.environ["SHOP_MODE"] = "test"
    known["mode"] = "test"
    yield
    del os.environ["SHOP_MODE"]
    known.clear()


@pytest.mark.parametrize("number", range(3))
def test_reads_what_all_read(folder, number):
    assert (folder / "data").read_text() == "1"
    assert (HERE / "pytest.ini").exists()
    assert known["mode"] == os.environ["SHOP_MODE"] == "test"


@pytest.mark.parametrize("number", range(3))
def test_files_of_its_own(tmp_path, number):
    (tmp_path / "out").write_text(str(number))
    time.sleep(0.01)
    assert (tmp_path / "out").read_text() == str(number)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")


@pytest.mark.parametrize("number", range(3))
def test_ports_of_its_own(number):
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())


@pytest.mark.parametrize("number", range(3))
def test_a_database_of_its_own(tmp_path, number):
    db = sqlite3.connect(tmp_path / "db")
    db.execute("CREATE TABLE t (id)")
    db.close()
    assert sqlite3.connect(":memory:").execute("SELECT 1").fetchone() == (1,)


def test_a_thread_and_a_process_that_end():
    thread = threading.Thread(target=time.sleep, args=(0.01,))
    thread.start()
    thread.join()
    subprocess.run([sys.executable, "-c", ""], check=True)


@pytest.mark.parametrize("number", range(3))
def test_puts_back_what_it_changes(monkeypatch, tmp_path, number):
    monkeypatch.setenv("SHOP_MODE", "other")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(time, "time", lambda: 1.0)
    random.seed(number)


@pytest.mark.parametrize("number", range(2))
def test_subprocesses_with_files_of_their_own(tmp_path, number):
    script = "echo $0 > out; cat out; ls; echo $0 > $TMPDIR/of-$PPID; cat $TMPDIR/of-$PPID"
    done = subprocess.run(["sh", "-c", script, str(number)], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split()[:2] == [str(number), "out"] and done.stdout.split()[-1] == str(number)
    assert subprocess.check_output(["cat", HERE / "pytest.ini"]) == b"[pytest]\\n"


@pytest.mark.parametrize("number", range(2))
def test_servers_with_ports_of_their_own(number):
    code = (
        "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
        "print(s.getsockname()[1], flush=True); s.accept()"
    )
    with subprocess.Popen([sys.executable, "-S", "-E", "-c", code], stdout=subprocess.PIPE) as server:
        socket.create_connection(("127.0.0.1", int(server.stdout.readline()))).close()


def test_the_same_folder_made_by_two(tmp_path):
    shared = os.path.join(tempfile.gettempdir(), "cache-of-all")
    os.makedirs(shared, exist_ok=True)
    assert os.path.isdir(shared)


def test_the_same_folder_made_by_another(tmp_path):
    shared = os.path.join(tempfile.gettempdir(), "cache-of-all")
    os.makedirs(shared, exist_ok=True)
    assert os.path.isdir(shared)
"""


def test_a_suite_that_keeps_things_apart(doctor: Doctor) -> None:
    (doctor.folder / "test_friendly.py").write_text(FRIENDLY)
    (doctor.folder / "test_again.py").write_text(FRIENDLY)
    examined = doctor.examine("--fail-on", "any")
    assert examined.findings == [] and examined.report["aside"] == [], examined.out
    assert examined.code == 0
    assert "Nothing stands against running these tests in parallel." in examined.out


def test_names_that_are_new_each_time_are_the_only_thing_that_is_found(doctor: Doctor) -> None:
    (doctor.folder / "test_new.py").write_text(
        "import time\nimport pytest\n"
        "@pytest.mark.parametrize('now', [1, time.time(), 2])\n"
        "def test_new(now): pass\n"
    )
    (doctor.folder / "test_old.py").write_text(
        "import pytest\n@pytest.mark.parametrize('number', range(20))\ndef test_old(number): pass\n"
    )
    examined = doctor.examine("--rounds", "1")
    assert [finding["class"] for finding in examined.findings] == ["collection"], examined.out


def test_the_bundled_example(doctor_on: Any, tmp_path: Path) -> None:
    doctor = doctor_on(EXAMPLE)
    shutil.rmtree(doctor.folder / "tests_conflicts")
    examined = doctor.examine("--rounds", "2", "--fail-on", "any")
    assert examined.findings == [], examined.out
    assert examined.code == 0
