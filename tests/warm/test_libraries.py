"""Where conftests change, a run goes on from pytest, its plugins, and the libraries that the first one begins with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab import Lab
from test_server import warm_up


def test_a_module_of_conftests_is_imported_anew(lab: Lab) -> None:
    lab.write("conftest.py", "import os, app\nos.write(2, b'it is %d' % app.VALUE)\n")
    lab.write("test_it.py", "import app\ndef test_it(): assert app.VALUE == 333\n")
    lab.write("app.py", "VALUE = 1\n")
    warm_up(lab)
    for value in (22, 333, 4444):
        lab.write("app.py", f"VALUE = {value}\n")
        run = lab.run()
        assert run.note == "warm: libraries (app.py changed)"
        assert run.code == (value != 333) and re.findall("it is [0-9]+", run.output) == [f"it is {value}"]
        assert run.told() == lab.run(warm=False).told()
        lab.settle()


def test_settings_and_plugins_are_of_the_libraries(lab: Lab) -> None:
    lab.write("own_plugin.py", "")
    args = ["-p", "own_plugin"]
    lab.env["PYTHONPATH"] = str(lab.folder)
    for name, text in (("own_plugin.py", "A = 1\n"), ("pytest.ini", "[pytest]\naddopts = -ra\n")):
        assert lab.run(*args).code == 0
        lab.settle()
        lab.write(name, text)
        assert lab.run(*args).note == f"warm: none yet ({name} changed)"
        lab.settle()


def test_libraries_that_have_ended_cost_nothing(lab: Lab) -> None:
    lab.write("conftest.py", "")
    warm_up(lab)
    of_python = [each for each in lab.processes() if "outpace.warm.builder" in " ".join(each.cmdline())]
    libraries = min(of_python, key=lambda each: each.create_time())
    libraries.kill()
    libraries.wait(timeout=60)
    lab.write("conftest.py", "A = 1\n")
    run = lab.run()
    assert (run.code, run.note) == (0, "warm: none yet (conftest.py changed)")


def test_a_run_that_ends_before_the_tests_leaves_the_libraries(lab: Lab) -> None:
    lab.write("conftest.py", "")
    warm_up(lab)
    lab.write("conftest.py", "import nothing_of_that_name\n")
    broken = lab.run()
    assert broken.code == 4 and "nothing_of_that_name" in broken.output
    lab.write("conftest.py", "A = 2\n")
    run = lab.run()
    assert (run.code, run.note) == (0, "warm: libraries (pytest ended before the tests)")


def test_an_edit_while_tests_are_collected(lab: Lab) -> None:
    lab.write("conftest.py", "import app\ndef pytest_report_header(): return f'it is {app.VALUE}'\n")
    lab.write("app.py", "VALUE = 1\n")
    lab.write("test_it.py", "import time\ntime.sleep(1)\ndef test_it(): pass\n")
    assert "it is 1\n" in lab.run().output
    lab.wait_for(lambda status: "is being collected" in status)
    lab.write("app.py", "VALUE = 22\n")
    run = lab.run()
    assert (run.code, run.note) == (0, "warm: libraries (app.py changed)") and "it is 22\n" in run.output


class Library:
    """A module outside of the project that counts how often it is imported."""

    def __init__(self, lab: Lab, folder: Path, text: str = "") -> None:
        self._lab = lab
        self._notes = folder / "notes"
        self._notes.write_text("")
        folder.joinpath("library.py").write_text(
            f"import os\nwith open({str(self._notes)!r}, 'a') as notes:\n    notes.write('x')\nVALUE = 1\n{text}"
        )
        lab.env["PYTHONPATH"] = str(folder)
        lab.write("conftest.py", "import json\nimport library\nimport app\nprint(app.VALUE)\n")
        lab.write("app.py", "VALUE = 1\n")

    def imports(self) -> int:
        return len(self._notes.read_text())

    def imported_by_a_run(self, value: int) -> int:
        """After an edit of a module of the project, which is seen."""
        self._lab.write("app.py", f"VALUE = {10**value}\n")
        before = self.imports()
        run = self._lab.run()
        assert (run.code, run.note) == (0, "warm: libraries (app.py changed)"), run.output
        count = self.imports() - before
        assert run.told() == self._lab.run(warm=False).told()
        self._lab.settle()
        return count


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


def test_what_a_conftest_begins_with_is_imported_ahead(lab: Lab, elsewhere: Path) -> None:
    library = Library(lab, elsewhere)
    warm_up(lab)
    lab.wait_for(lambda _: library.imports() == 4)  # by controller, template, the one that collects, and ahead
    libraries = re.compile("^libraries; [0-9]+ files and folders, [0-9]+ s old(.*): outpace", re.MULTILINE)
    status = lab.wait_for(lambda status: len(libraries.findall(status)) == 2)
    assert sorted(libraries.findall(status)) == ["", "; with what conftest.py begins with"]
    lab.settle()
    assert [library.imported_by_a_run(value) for value in (1, 2, 3)] == [0, 0, 0]
    lab.write("conftest.py", "import library, json\nimport app\nprint(app.VALUE)\n")
    assert lab.run().note == "warm: libraries (conftest.py changed)"
    lab.wait_for(lambda _: library.imports() == 14)  # six in cold runs, and as before
    lab.settle()
    assert library.imported_by_a_run(4) == 0


@pytest.mark.parametrize(
    "text",
    [
        "import warnings\nwarnings.warn('of the library')\n",
        "import warnings\nwarnings.simplefilter('error')\n",
        "print('of the library')\n",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n",
        "os.environ.get('PYTEST_XDIST_WORKER_COUNT')\n",
    ],
)
def test_what_would_show_is_imported_in_each_run(lab: Lab, elsewhere: Path, text: str) -> None:
    library = Library(lab, elsewhere, text)
    assert lab.run().code == 0
    lab.settle()
    assert library.imported_by_a_run(1) > 0


def test_a_module_of_the_project_that_has_the_name_of_a_library(lab: Lab, elsewhere: Path) -> None:
    library = Library(lab, elsewhere)
    lab.write("library.py", "VALUE = 2\n")
    lab.write("test_it.py", "import library\ndef test_it(): print(library.__file__)\n")
    warm_up(lab)
    assert library.imported_by_a_run(1) == 0 == library.imports()
