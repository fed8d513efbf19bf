"""Write a generated test suite into a folder: ``python benches/suites.py NAME DIR``.

Every suite is the same for the same seed and scale, needs nothing but the standard library, and passes under any runner
and in any order (``timed`` where its tests have quiet cores). Work is a fixed number of loops, not a fixed time, so
that a runner that makes the processor slower shows; sleeps are exact. ``--scale`` shrinks the number of tests (or, in
``imports``, the time and memory).
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SEED = 20_251
# Loops of `burn` that take about one millisecond on a processor of 2023.
LOOPS_PER_MS = 22_000

CONFTEST = '''\
"""Notes when the first test of the run starts, in the file that BENCH_FIRST_TEST names."""

import os
import time

import pytest

FILE = os.environ.get("BENCH_FIRST_TEST")


class FirstTest:
    """Takes itself out of the way after the first test, so that it costs the others nothing."""

    def __init__(self, pluginmanager):
        self.pluginmanager = pluginmanager

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self):
        now = time.time()
        try:
            file = os.open(FILE, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            pass
        else:
            os.write(file, repr(now).encode())
            os.close(file)
        self.pluginmanager.unregister(self)


def pytest_configure(config):
    if FILE:
        config.pluginmanager.register(FirstTest(config.pluginmanager), "bench-first-test")
'''

WORK = f'''\
"""Work for tests: a fixed number of loops."""


def burn(milliseconds):
    total = 0
    for index in range(int(milliseconds * {LOOPS_PER_MS})):
        total += index
    return total
'''

HEAVY_PART = '''\
"""A module that takes long to import and much memory, as numerical and web packages do."""

from work import burn

burn({burn_ms})
SEED = {seed}
# Plain memory, like compiled code and arrays: written once, never touched again.
BLOCK = bytearray(b"heavy") * ({block_bytes} // 5)
# Objects with reference counts, like classes and functions.
TABLE = {{f"name-{{SEED}}-{{index}}": (index, index * 0.5, [index]) for index in range({objects})}}


def lookup(index):
    return TABLE[f"name-{{SEED}}-{{index % {objects}}}"]
'''


@dataclass(frozen=True)
class Options:
    seed: int = SEED
    scale: float = 1.0
    in_conftest: bool = False

    def times(self, count: int, least: int = 1) -> int:
        return max(least, round(count * self.scale))


Files = dict[str, str]


def tiny(options: Options) -> Files:
    """10,000 trivial tests in 100 files."""
    return {f"test_tiny_{file:03}.py": _trivial(options.times(100)) for file in range(100)}


def onefile(options: Options) -> Files:
    """One file of 100 trivial tests."""
    return {"test_one.py": _trivial(options.times(100))}


def huge(options: Options) -> Files:
    """100,000 parametrised tests in 20 files."""
    body = (
        "import pytest\n\n\n"
        f'@pytest.mark.parametrize("number", range({options.times(5_000)}))\n'
        "def test_number(number):\n    assert number >= 0\n"
    )
    return {f"test_huge_{file:02}.py": body for file in range(20)}


def waiting(options: Options) -> Files:
    """400 tests: 79 s of sleep and 8 s of computing; most are short, four sleep for more than a second."""
    choose = random.Random(options.seed)
    count = options.times(400, 8)
    sleeps = [choose.expovariate(1.0) for _ in range(count - 4)]
    total = 79.0 * count / 400
    long = [1.0, 1.05, 1.1, 1.15]
    factor = max(0.0, total - sum(long)) / sum(sleeps)
    sleeps = [value * factor for value in sleeps] + long
    choose.shuffle(sleeps)
    tests = [f"    burn({choose.uniform(10, 30):.1f})\n    time.sleep({value:.4f})\n" for value in sleeps]
    return {"work.py": WORK, **_spread("waiting", tests, 20, "import time\n\nfrom work import burn\n")}


TIMED = """\
import time

import pytest
from work import burn


def seconds(milliseconds):
    begun = time.perf_counter()
    burn(milliseconds)
    return time.perf_counter() - begun


# While the tests are collected nothing else runs.
QUIET = min(seconds(30) for _ in range(5))


@pytest.mark.parametrize("number", range(5))
def test_in_time(number):
    assert seconds(30) < 2 * QUIET


@pytest.mark.parametrize("number", range(15))
def test_waits(number):
    burn(3)
    time.sleep(0.1 + 0.05 * (number % 7))
"""


def timed(options: Options) -> Files:
    """200 tests: 150 sleep for 37 s, 50 compute and fail when that takes twice as long as on a quiet core."""
    return {"work.py": WORK, **{f"test_timed_{file:02}.py": TIMED for file in range(options.times(10))}}


def cpu(options: Options) -> Files:
    """400 tests, 30 s of pure computing; a tenth of the tests has about half of the work."""
    choose = random.Random(options.seed)
    weights = [choose.uniform(5, 10) if choose.random() < 0.1 else choose.uniform(0.2, 1.4) for _ in range(400)]
    factor = 30_000 / sum(weights)
    tests = [f"    burn({weight * factor:.1f})\n" for weight in weights[: options.times(400)]]
    return {"work.py": WORK, **_spread("cpu", tests, 20, "from work import burn\n")}


def imports(options: Options) -> Files:
    """300 tests in 30 files; 20 files import a package that takes 2 s and 400 MB (or conftest.py does)."""
    parts = 8
    files: Files = {"work.py": WORK, "heavy/__init__.py": ""}
    for part in range(parts):
        files[f"heavy/part{part}.py"] = HEAVY_PART.format(
            burn_ms=round(105 * options.scale),
            seed=options.seed + part,
            block_bytes=round(26_000_000 * options.scale),
            objects=options.times(72_000),
        )
    names = ", ".join(f"part{part}" for part in range(parts))
    files["heavy/__init__.py"] = f"from heavy import {names}\n\nPARTS = [{names}]\n"
    for file in range(30):
        if file % 3:
            head = "from heavy import PARTS\n"
            body = "    assert all(part.lookup({0})[0] >= 0 for part in PARTS)\n"
        else:
            head, body = "", "    assert {0} >= 0\n"
        files.update(_spread(f"imports_{file:02}", [body.format(number * 37) for number in range(10)], 1, head))
    if options.in_conftest:
        files["conftest.py"] = CONFTEST + "\n\nimport heavy  # noqa: E402, F401\n"
    return files


def fixtures(options: Options) -> Files:
    """400 tests in 20 files: one session fixture of 1 s, and a module fixture of 0.3 s in each file."""
    conftest = (
        CONFTEST
        + """

from work import burn  # noqa: E402


@pytest.fixture(scope="session")
def service():
    time.sleep(0.6)
    burn(400)
    return {"state": "up"}
"""
    )
    body = """\
import time

import pytest
from work import burn


@pytest.fixture(scope="module")
def data(service):
    time.sleep(0.15)
    burn(150)
    return list(range(100))


@pytest.mark.parametrize("number", range(20))
def test_data(data, service, number):
    burn(2)
    assert data[number] == number and service["state"] == "up"
"""
    return {
        "work.py": WORK,
        "conftest.py": conftest,
        **{f"test_fixtures_{file:02}.py": body for file in range(options.times(20, 2))},
    }


def skewed(options: Options) -> Files:
    """200 tests, 10 s of computing; one file of 100 tests holds 80 % of it."""
    files: Files = {"work.py": WORK}
    head = "from work import burn\n"
    files.update(_spread("a_heavy", ["    burn(80)\n"] * options.times(100), 1, head))
    files.update(_spread("light", ["    burn(20)\n"] * options.times(100), 20, head))
    return files


def _trivial(count: int) -> str:
    return "\n\n".join(f"def test_{number:03}():\n    assert {number} + 1 == {number + 1}\n" for number in range(count))


def _spread(name: str, bodies: list[str], files: int, head: str) -> Files:
    """Share test bodies out among files, in turn."""
    out: Files = {}
    for file in range(files):
        mine = list(enumerate(bodies))[file::files]
        if mine:
            tests = "\n\n".join(f"def test_{number:03}():\n{body}" for number, body in mine)
            out[f"test_{name}_{file:02}.py"] = f"{head}\n\n{tests}" if head else tests
    return out


SUITES: dict[str, Callable[[Options], Files]] = {
    function.__name__: function for function in (tiny, waiting, timed, cpu, imports, fixtures, skewed, huge, onefile)
}


def generate(name: str, folder: Path, options: Options | None = None) -> int:
    """Write suite ``name`` into the (new or empty) folder and return the number of files."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder.name} is not empty")
    files = {
        "pytest.ini": "[pytest]\naddopts =\n",
        "conftest.py": CONFTEST,
        **SUITES[name](options or Options()),
    }
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return len(files)


def main(arguments: list[str] | None = None) -> int:
    listing = "\n".join(f"  {name:9} {function.__doc__}" for name, function in SUITES.items())
    parser = argparse.ArgumentParser(
        description="Write a generated test suite.",
        epilog=f"suites:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=SUITES, metavar="NAME")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the tests to write (default 1)")
    parser.add_argument("--in-conftest", action="store_true", help="imports: let conftest.py import the package")
    chosen = parser.parse_args(arguments)
    try:
        count = generate(chosen.name, chosen.folder, Options(chosen.seed, chosen.scale, chosen.in_conftest))
    except FileExistsError as error:
        parser.error(str(error))
    print(f"{chosen.name}: {count} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
