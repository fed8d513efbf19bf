"""Where only a test file is edited, a run goes on at its door."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab import Lab
from outpace.warm.doors import first_imports

_BEGINS = {
    "": "",
    "import a\n": "import a\n",
    "import a": None,
    "# said\n\nfrom b import (\n    c,\n)\nX = 1\nimport d\n": "# said\n\nfrom b import (\n    c,\n)\n",
    '"""A text."""\nfrom __future__ import annotations\nimport a; import b\n': (
        '"""A text."""\nfrom __future__ import annotations\nimport a; import b\n'
    ),
    "import a\nimport b; X = 1\n": "import a\n",
    "import a; X = 1\n": "",
    "if typing.TYPE_CHECKING:\n    import a\nX = 1": "if typing.TYPE_CHECKING:\n    import a\n",
    "import a\nif a.TYPE_CHECKING:\n    import b\n": "import a\n",
    "import a\nif X:\n    import b\n": "import a\n",
    "import a\ntry:\n    import b\nexcept ImportError:\n    b = None\n": "import a\n",
    "import a\r\nX = 1\r\n": "import a\r\n",
    "import a\rX = 1\n": None,
    "import (\n": None,
    "X = 1\n": "",
}


@pytest.mark.parametrize("text", _BEGINS)
def test_what_a_file_begins_with(tmp_path: Path, text: str) -> None:
    path = tmp_path / "test_it.py"
    path.write_bytes(text.encode())
    found = first_imports(str(path))
    assert (found and found[0]) == _BEGINS[text]


def test_what_is_not_utf_8_has_no_door(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    for content in ("# coding: latin-1\nX = 'é'\n".encode("latin-1"), b"\xef\xbb\xbfimport a\n", b"X = '\xff'\n"):
        path.write_bytes(content)
        assert first_imports(str(path)) is None


_APP = "import sys, warnings\nprint('imported')\nwarnings.warn('careful')\nVALUE = 1\n"
_TEST = '''\
"""It has first imports, and others."""
from __future__ import annotations
import json, app
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import decimal
import sys; NUMBER = {number}

def test_it():
    print("number", NUMBER, app.VALUE, test_it.__globals__.get("json"), "decimal" in sys.modules)
    assert NUMBER

'''


class Edits:
    def __init__(self, lab: Lab, *args: str) -> None:
        self.lab = lab
        self.args = ("-rA", "-v", *args)
        (lab.folder / "test_it.py").unlink()

    def begin(self) -> None:
        self.lab.run(*self.args)
        self.lab.settle()

    def edit(self, name: str, text: str) -> str:
        """What the header then says. The run is what it is without the server."""
        self.lab.write(name, text)
        cold = self.lab.run(*self.args, warm=False)
        warm = self.lab.run(*self.args)
        assert warm.told() == cold.told()
        self.lab.settle()
        return warm.note


@pytest.fixture
def edits(lab: Lab) -> Edits:
    return Edits(lab)


def at(name: str, changed: str | None = None) -> str:
    return f"warm: collected up to {name} ({changed or name} changed)"


def test_an_edited_file_is_collected_from_its_door_on(lab: Lab, edits: Edits) -> None:
    lab.write("app.py", _APP)
    lab.write("test_that.py", _TEST.format(number=1))
    edits.begin()
    for number in (2, 0, 3):
        assert edits.edit("test_that.py", _TEST.format(number=number)) == at("test_that.py")
    assert lab.run(*edits.args).note == "warm: collected"
    # What it begins with, is not what it began with.
    text = _TEST.replace("json, app", "app, json")
    assert edits.edit("test_that.py", text.format(number=4)) == "warm: configured (test_that.py changed)"
    assert edits.edit("app.py", "VALUE = 2\n") == "warm: configured (app.py changed)"
    assert edits.edit("test_that.py", text.format(number=5)) == at("test_that.py")


def test_what_comes_after_it_is_collected_anew(lab: Lab, edits: Edits) -> None:
    for number, name in enumerate("abcde"):
        path = lab.write(f"test_{name}.py", f"import json\nORDER = []\ndef test_{name}(): print({number})\n")
        os.utime(path, (1_700_000_000 - number,) * 2)
    edits.begin()
    # Those that were edited last have a door, which are the first three.
    assert edits.edit("test_e.py", "def test_e(): print('other')\n") == at("test_c.py", "test_e.py")
    assert edits.edit("test_e.py", "def test_e(): print('more')\n") == at("test_e.py")
    assert edits.edit("test_a.py", "import json\ndef test_a(): assert 0\n") == at("test_a.py")
    assert edits.edit("test_b.py", "import json\ndef test_other(): pass\n") == at("test_b.py")


_FILES = {
    "an error": "import app\nraise ValueError('this')\n",
    "no such module": "import app\nimport nothing_like_it\n",
    "not Python": "import app\ndef test_(:\n",
    "nothing": "",
    "a skipped module": "import app\nimport pytest\npytest.skip('today', allow_module_level=True)\n",
    "cases": "import app\nimport unittest\nclass TestIt(unittest.TestCase):\n    def test_that(self): print('that')\n",
    "fixtures": (
        "import app\nimport pytest\n@pytest.fixture(scope='module', params=[1, 2], autouse=True)\ndef made(request):\n"
        "    yield request.param\ndef test_it(made, folder): print(made, folder)\n"
    ),
}


def test_whatever_is_in_it(lab: Lab, edits: Edits) -> None:
    """In a package, with imports from it, below a conftest of its own."""
    lab.write("app.py", _APP)
    lab.write("tests/__init__.py", "")
    lab.write("tests/conftest.py", "import pytest\n@pytest.fixture\ndef folder(): return 'tests'\n")
    lab.write("tests/test_other.py", "from .helper import VALUE\ndef test_other(): print(VALUE)\n")
    lab.write("tests/helper.py", "VALUE = 1\n")
    lab.write("tests/test_that.py", "import app\n")
    edits.begin()
    notes = [edits.edit("tests/test_that.py", text) for text in [*_FILES.values(), *reversed(_FILES.values())]]
    assert sum("collected up to tests/test_that.py" in note for note in notes) >= len(_FILES) // 2, notes
    assert "not warm" not in "".join(notes)


def test_a_module_that_tests_import_has_a_door(lab: Lab, edits: Edits) -> None:
    lab.write("lib/__init__.py", "")
    lab.write("lib/base.py", "import sys, warnings\nprint('base')\nVALUE = 1\n")
    lab.write("lib/app.py", "import json\nfrom lib.base import VALUE\nfrom . import base\nNUMBER = 1\n")
    lab.write("test_a.py", "from lib.app import NUMBER\ndef test_a(): print('a', NUMBER)\n")
    lab.write("test_b.py", "import lib.app\ndef test_b(): print('b', lib.app.NUMBER, lib.base.VALUE)\n")
    edits.begin()
    start = "import json\nfrom lib.base import VALUE\nfrom . import base\n"
    for text in ("NUMBER = 2\n", "NUMBER = (\n", "raise ValueError('this')\n", "NUMBER = VALUE\n"):
        assert edits.edit("lib/app.py", start + text) == at("lib/app.py")
    assert edits.edit("lib/base.py", "import sys, warnings\nprint('base')\nVALUE = 2\n") == at("lib/base.py")
    assert edits.edit("test_b.py", "import lib.app\ndef test_b(): print('c', lib.app.NUMBER)\n") == at("test_b.py")


def test_a_module_that_imports_itself_has_no_door(lab: Lab, edits: Edits) -> None:
    """By what it imports first."""
    lab.write("one.py", "import two\nVALUE = 1\n")
    lab.write("two.py", "import one\ndef value(): return one.VALUE\n")
    lab.write("test_it.py", "import one, two\ndef test_it(): print(two.value())\n")
    edits.begin()
    assert edits.edit("one.py", "import two\nVALUE = 2\n") == "warm: configured (one.py changed)"
    assert edits.edit("two.py", "import one\ndef value(): return 3, one.VALUE\n").endswith("(two.py changed)")


def test_a_file_that_was_read_before_has_no_door(lab: Lab, edits: Edits) -> None:
    lab.write("test_a.py", "import test_b\ndef test_a(): print(test_b.VALUE)\n")
    lab.write("test_b.py", "VALUE = 1\ndef test_b(): pass\n")
    edits.begin()
    assert edits.edit("test_b.py", "VALUE = 2\ndef test_b(): pass\n") == "warm: configured (test_b.py changed)"
    assert edits.edit("test_a.py", "import test_b\ndef test_c(): print(test_b.VALUE)\n") == at("test_a.py")


def test_imports_that_fail_are_done_once(lab: Lab, edits: Edits) -> None:
    lab.write("broken.py", "open('seen', 'a').write('.')\nraise ImportError('broken')\n")
    lab.write("test_that.py", "import broken\n")
    lab.write("seen", "")
    lab.run(*edits.args)
    lab.settle()
    lab.write("seen", "")
    run = lab.run(*edits.args)
    assert run.note == "warm: collected" and "broken" in run.output
    assert (lab.folder / "seen").read_text() == ""


def test_what_a_run_has_of_its_own_it_has_at_a_door(lab: Lab, edits: Edits) -> None:
    text = (
        "import os\n"
        "def test_it(tmp_path, testrun_uid, worker_id, request):\n"
        "    assert os.environ['PYTEST_XDIST_TESTRUNUID'] == testrun_uid == request.config.workerinput['testrunuid']\n"
        "    assert os.environ['MODE'] == 'one' and os.environ['SHLVL'] == '77'\n"
        "    open('seen', 'a').write(f'{testrun_uid} {tmp_path}\\n')\n"
    )
    lab.env["MODE"] = "one"
    lab.env["SHLVL"] = "77"
    lab.write("test_that.py", text)
    lab.write("seen", "")
    edits.begin()
    for number in range(3):
        lab.write("test_that.py", f"{text}# {number}\n")
        assert lab.run(*edits.args).note == at("test_that.py")
        lab.settle()
    seen = (lab.folder / "seen").read_text().splitlines()
    assert len(set(seen)) == 4 and len({line.split()[0] for line in seen}) == 4, seen


def test_workers_are_forked_from_a_door_as_from_any_template(lab: Lab, edits: Edits) -> None:
    text = "import os\nPID = os.getpid()\ndef {name}(): assert os.getppid() == PID\n"
    lab.write("test_that.py", text.format(name="test_it"))
    edits.begin()
    assert edits.edit("test_that.py", text.format(name="test_that")) == at("test_that.py")


def test_several_kinds_of_runs_have_doors_of_their_own(lab: Lab) -> None:
    one, other = Edits(lab), None
    lab.write("test_a.py", "def test_a(): pass\n")
    lab.write("test_b.py", "def test_b(): pass\n")
    other = Edits.__new__(Edits)
    other.lab, other.args = lab, ("-rA", "-v", "test_b.py")
    one.begin()
    other.begin()
    assert one.edit("test_b.py", "def test_b(): print(1)\n") == at("test_b.py")
    assert other.edit("test_b.py", "def test_b(): print(2)\n") == at("test_b.py")
