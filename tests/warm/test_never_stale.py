"""After any change a warm run is what a cold one is: ids, outcomes, output.

``--steps 1000 --seed 3`` looks longer.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Lab

_CONFTEST = """
import os, pathlib
import pytest
import app

HERE = pathlib.Path(__file__).parent
DATA = (HERE / "data.txt").read_text()
LEVEL = {level}

@pytest.fixture
def level():
    return LEVEL, DATA, os.environ.get("MODE"), app.VALUE
"""

_TEST = """
import importlib.metadata, json, os, pathlib
import pytest
import app.calc, dep

HERE = pathlib.Path(__file__).parent
MODE = os.environ.get("MODE", "none")
CASES = json.loads((HERE / "link" / "cases.json").read_text())
FILES = sorted(each.name for each in (HERE / "assets").iterdir())

@pytest.mark.parametrize("case", CASES)
def test_case(case, level):
    print("saw", case, level, {number}, MODE, FILES, app.calc.VALUE, dep.VALUE, importlib.metadata.version("dep"))
    assert case != {bad}

def check_more(level):
    print("more", level)
"""


class World:
    """The project, as the steps change it. Every change is a new number, so that whatever is stale shows."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.lab = lab
        self.random = random.Random(seed)
        self.count = 100
        self.args: list[str] = []
        self.added: list[str] = []
        self.site = lab.folder.parent / "site"
        lab.env["PYTHONPATH"] = str(self.site)
        lab.write("conftest.py", _CONFTEST.format(level=1))
        lab.write("data.txt", "data 1")
        lab.write("app/__init__.py", "VALUE = 1\n")
        lab.write("app/calc.py", "VALUE = 1\n")
        lab.write("assets/first", "")
        for name in ("one", "two"):
            lab.write(f"cases_{name}/cases.json", json.dumps([name, 1, 2]))
        (lab.folder / "link").symlink_to("cases_one")
        (lab.folder / "test_it.py").unlink()
        lab.write("test_a.py", _TEST.format(number=1, bad=-1))
        self.upgrade()

    def number(self) -> int:
        self.count += 1
        return self.count

    def path(self, name: str) -> Path:
        return self.lab.folder / name

    # -- the steps

    def nothing(self) -> None:
        pass

    def edit_test(self) -> None:
        self.lab.write("test_a.py", _TEST.format(number=self.number(), bad=self.random.choice([-1, 1, 2])))

    def edit_imports(self) -> None:
        """What a test file begins with, and what it imports at once."""
        first = self.random.choice(["import fractions\n", "from app import calc\n", "import app.calc, dep\n", "\n"])
        self.lab.write("test_a.py", first + _TEST.format(number=self.number(), bad=-1))

    def break_file(self) -> None:
        name = self.random.choice(["test_a.py", "app/calc.py"])
        self.lab.write(
            name, self.random.choice(["VALUE = (\n", "import dep, nothing_like_it\n", f"VALUE = {self.number()}\n"])
        )

    def edit_imported(self) -> None:
        """A module with imports of its own, which only tests import."""
        first = self.random.choice(
            ["", "import json, dep\n", "from . import VALUE as ABOVE\nimport dep\nprint('calc')\n"]
        )
        self.lab.write("app/calc.py", f"{first}VALUE = {self.number()}\n")

    def edit_conftest(self) -> None:
        self.lab.write("conftest.py", _CONFTEST.format(level=self.number()))

    def edit_module(self) -> None:
        self.lab.write(self.random.choice(["app/__init__.py", "app/calc.py"]), f"VALUE = {self.number()}\n")

    def edit_data(self) -> None:
        self.lab.write("data.txt", f"data {self.number()}")

    def edit_cases(self) -> None:
        self.lab.write("cases_one/cases.json", json.dumps([self.number(), "x"]))

    def edit_ini(self) -> None:
        functions = self.random.choice(["test_* check_*", "test_*"])
        self.lab.write("pytest.ini", f"[pytest]\npython_functions = {functions}\n# {self.number()}\n")

    def change_environment(self) -> None:
        self.lab.env["MODE"] = f"mode {self.number()}"

    def add_file(self) -> None:
        name = f"test_added_{self.number()}.py"
        self.lab.write(name, f"def test_added():\n    print('added', {self.count})\n")
        self.added.append(name)

    def add_asset(self) -> None:
        self.lab.write(f"assets/{self.number()}", "")

    def remove_file(self) -> None:
        if self.added:
            self.path(self.added.pop()).unlink()

    def rename_file(self) -> None:
        if self.added:
            name = f"test_renamed_{self.number()}.py"
            self.path(self.added.pop()).rename(self.path(name))
            self.added.append(name)

    def shadow_module(self) -> None:
        """A package takes the place of one that is found further down the path."""
        if self.path("dep").exists():
            shutil.rmtree(self.path("dep"))
        else:
            self.lab.write("dep/__init__.py", f"VALUE = 'shadow {self.number()}'\n")

    def swap_link(self) -> None:
        link = self.path("link")
        other = "cases_two" if os.readlink(link) == "cases_one" else "cases_one"
        link.unlink()
        link.symlink_to(other)

    def check_out(self) -> None:
        """As another branch's files come with times of long ago."""
        self.edit_module()
        self.edit_data()
        for name in ("app/__init__.py", "app/calc.py", "data.txt"):
            os.utime(self.path(name), (1_000_000_000, 1_000_000_000))
        for cached in self.lab.folder.rglob("__pycache__"):
            shutil.rmtree(cached)

    def edit_unseen(self) -> None:
        """The same size, the same time: what only its content tells."""
        path = self.path("data.txt")
        before = path.stat()
        path.write_text(f"data {self.number()}".ljust(before.st_size)[: before.st_size])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def upgrade(self) -> None:
        for old in self.site.glob("*.dist-info"):
            shutil.rmtree(old)
        version = f"1.{self.number()}"
        info = self.site / f"dep-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dep\nVersion: {version}\n")
        (self.site / "dep").mkdir(exist_ok=True)
        (self.site / "dep" / "__init__.py").write_text(f"VALUE = 'dep {version}'\n")

    def other_arguments(self) -> None:
        self.args = self.random.choice([[], ["test_a.py"], ["-k", "x or one"], ["test_a.py", "--maxfail=9"]])

    def edit_during_a_run(self) -> None:
        process = self.lab.start("-rA", *self.args)
        time.sleep(self.random.random() * 0.6)
        self.random.choice([self.edit_test, self.edit_conftest, self.edit_module, self.edit_data])()
        process.communicate(timeout=60)

    def steps(self) -> list[Callable[[], None]]:
        return [
            self.edit_test,
            self.edit_imports,
            self.edit_imported,
            self.break_file,
            self.edit_conftest,
            self.edit_module,
            self.edit_data,
            self.edit_cases,
            self.edit_ini,
            self.change_environment,
            self.add_file,
            self.add_asset,
            self.remove_file,
            self.rename_file,
            self.shadow_module,
            self.swap_link,
            self.check_out,
            self.edit_unseen,
            self.upgrade,
            self.other_arguments,
            self.edit_during_a_run,
        ]


def test_a_warm_run_is_what_a_cold_one_is(lab: Lab, pytestconfig: pytest.Config) -> None:
    world = World(lab, pytestconfig.getoption("--seed"))
    wanted = pytestconfig.getoption("--steps")
    steps: list[Callable[[], None]] = []
    while len(steps) < wanted:
        more = world.steps()
        world.random.shuffle(more)
        # Each change meets a layer that has collected.
        steps += [each for step in more for each in (world.nothing, step)]
    notes: list[str] = []
    for index, step in enumerate(steps[:wanted]):
        step()
        warm = lab.run("-rA", "-v", *world.args)
        notes.append(f"{step.__name__}: {warm.note}")
        print(index, notes[-1], flush=True)  # with `-s`: how far it is
        if world.random.random() < 0.8:
            lab.settle()
        cold = lab.run("-rA", "-v", *world.args, warm=False)
        assert warm.told() == cold.told(), f"step {index}: {notes}"
        # With `-k` there may be no test left; a file may be broken, and named on the command line.
        assert cold.code in (0, 1, 2, 4, 5), cold.output
    assert all("warm: " in note and "not warm" not in note for note in notes), notes
    used = [note for note in notes if note.endswith("warm: collected")]
    assert len(used) > wanted // 6, notes
    assert any("collected up to" in note for note in notes), notes
