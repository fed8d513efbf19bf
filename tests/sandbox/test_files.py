"""Own files: what was written is named with its test, thrown away or kept; what must survive passes through."""

from __future__ import annotations

import pytest
from lab import Lab


def test_what_was_written_is_told_with_its_test(lab: Lab, method: str) -> None:
    lab.write("data/in.csv", "real")
    lab.write("old.txt", "old")
    lab.write(
        "test_a.py",
        """
        import os, pathlib, subprocess

        def test_clean(): pass
        def test_change(): pathlib.Path("data/in.csv").write_text("changed")
        def test_new():
            os.makedirs("new/deep")
            subprocess.run(["sh", "-c", "echo x > new/deep/file"], check=True)
        def test_delete(): os.remove("old.txt")
        def test_see_what_is_mine():
            assert pathlib.Path("data/in.csv").read_text() == "changed"
            assert not os.path.exists("old.txt") and os.path.exists("new/deep/file")
        """,
    )
    run = lab.run("-n1", "--isolate=files", "--start-method", method)
    assert (run.ret, run.counts) == (0, {"passed": 5}), run.out + run.err
    run.match(
        "outpace: written in the project by tests, and thrown away: 3 paths",
        "  data/in.csv: test_a.py::test_change (gw0)",
        "  new/deep/file: test_a.py::test_new (gw0)",
        "  old.txt (deleted): test_a.py::test_delete (gw0)",
        "*pass-through = *",
    )
    assert (lab.path / "data/in.csv").read_text() == "real"
    assert (lab.path / "old.txt").read_text() == "old"
    assert not (lab.path / "new").exists()


def test_each_test_that_wrote_is_counted(one_lab: Lab) -> None:
    one_lab.write(
        "test_a.py",
        """
        import time
        import pytest
        @pytest.mark.parametrize("n", range(5))
        def test_it(n):
            with open("out", "a") as file:
                file.write(str(n))
            time.sleep(0.05)
        """,
    )
    run = one_lab.run("-n1", "--isolate=files")
    run.match("  out: test_a.py::test_it[[]0] (gw0) and 4 more tests")


def test_a_fixtures_teardown_after_the_last_test(one_lab: Lab) -> None:
    one_lab.write(
        "test_a.py",
        """
        import pytest
        @pytest.fixture(scope="session")
        def lasting():
            yield
            open("late", "w").close()
        def test_it(lasting): pass
        """,
    )
    run = one_lab.run("-n1", "--isolate=files")
    run.match("  late: test_a.py::test_it (gw0)")


def test_what_is_thrown_away_may_be_kept(one_lab: Lab) -> None:
    one_lab.write("test_a.py", "def test_it():\n    open('out.txt', 'w').write('seen')\n")
    one_lab.settings('kinds = ["files"]\nkeep = "kept"')
    one_lab.write("kept/gw0/stale", "of a run before")
    run = one_lab.run("-n1")
    run.match("outpace: written in the project by tests, and kept in kept: 1 path")
    assert (one_lab.path / "kept/gw0/out.txt").read_text() == "seen"
    assert not (one_lab.path / "kept/gw0/stale").exists()
    assert not (one_lab.path / "out.txt").exists()


def test_what_must_survive_passes_through(lab: Lab, method: str) -> None:
    lab.write("tests/__snapshots__/old.ambr", "old")
    lab.write("tests/__snapshots__/gone.ambr", "x")
    lab.write("golden/a.txt", "old")
    lab.write("tests/snapshots/x", "x")
    lab.write(
        "tests/test_a.py",
        """
        import os, pathlib
        here = pathlib.Path(__file__).parent

        def test_live():
            (here / "__snapshots__/old.ambr").write_text("new")
            (here / "__snapshots__/gone.ambr").unlink()
            (here / "snapshots/y").write_text("y")
        def test_patterns():
            pathlib.Path(".coverage.host.1").write_text("c")
            pathlib.Path("golden/a.txt").write_text("new")
            os.makedirs("other/__snapshots__")
            pathlib.Path("other/__snapshots__/n.ambr").write_text("n")
            pathlib.Path("log.txt").write_text("l")
        """,
    )
    lab.settings('kinds = ["files"]\npass-through = ["golden"]')
    run = lab.run("-n2", "--start-method", method)
    assert (run.ret, run.counts) == (0, {"passed": 2}), run.out + run.err
    path = lab.path
    assert (path / "tests/__snapshots__/old.ambr").read_text() == "new"
    assert not (path / "tests/__snapshots__/gone.ambr").exists()
    assert (path / "tests/snapshots/y").read_text() == "y"
    assert (path / ".coverage.host.1").read_text() == "c"
    assert (path / "golden/a.txt").read_text() == "new"
    assert (path / "other/__snapshots__/n.ambr").read_text() == "n"
    assert not (path / "log.txt").exists()
    run.match("*thrown away: 1 path", "  log.txt: tests/test_a.py::test_patterns*")


def test_what_two_workers_changed_is_told(one_lab: Lab) -> None:
    one_lab.write("out/golden.txt", "old")
    one_lab.write(
        "test_a.py",
        """
        import os, pathlib, time
        def test_it():
            worker = os.environ["PYTEST_XDIST_WORKER"]
            with open("out/golden.txt", "w") as file:
                file.write(worker)
            # Outside the project they see each other.
            pathlib.Path("..", f"begun-{worker}").touch()
            until = time.monotonic() + 60
            while len(list(pathlib.Path("..").glob("begun-*"))) < 2 and time.monotonic() < until:
                time.sleep(0.01)
        """,
    )
    one_lab.settings('kinds = ["files"]\npass-through = ["golden.txt"]')
    run = one_lab.run("-n2", "--dist=each")
    assert run.ret == 0
    run.match("outpace: out/golden.txt was changed by several workers; one of them had the last word")
    assert (one_lab.path / "out/golden.txt").read_text() in ("gw0", "gw1")


def test_a_cache_of_bytecode_is_written_back(one_lab: Lab) -> None:
    one_lab.write("app.py", "VALUE = 1\n")
    one_lab.write("test_a.py", "def test_it():\n    import app\n")
    assert one_lab.run("-n1", "--isolate=files").ret == 0
    assert list((one_lab.path / "__pycache__").glob("app.*.pyc"))


def test_a_module_that_a_fork_imports_late_is_found(lab: Lab) -> None:
    """Python remembers folders by their time; an overlay has others."""
    lab.write("conftest.py", "import sys; sys.path.insert(0, 'src')\n")
    lab.write("src/one.py", "")
    lab.write("src/two/__init__.py", "")
    lab.write(
        "test_a.py", "import one\ndef test_it():\n    import two\n    assert two.__file__.endswith('two/__init__.py')\n"
    )
    assert lab.run("-n2", "--isolate=all").ret == 0


def test_coverage_is_that_of_a_serial_run(lab: Lab, method: str) -> None:
    pytest.importorskip("pytest_cov")
    lab.write("app.py", "def f(n):\n    if n % 2:\n        return 1\n    return 2\n\n\ndef unused():\n    return 3\n")
    lab.write(
        "test_a.py",
        """
        import subprocess, sys
        import pytest, app
        @pytest.mark.parametrize("n", range(6))
        def test_it(n): assert app.f(n)
        """,
    )
    arguments = ("--cov=app", "--cov-branch", "--cov-report=term-missing")
    serial = lab.run("-p", "no:xdist", "-p", "no:outpace", *arguments)
    isolated = lab.run("-n3", "--isolate=all", "--start-method", method, *arguments)
    (wanted,) = [line for line in serial.lines if line.startswith("app.py")]
    isolated.match(wanted)
    assert [each.name for each in lab.path.glob(".coverage*")] == [".coverage"]
