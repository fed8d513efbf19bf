"""How often do outcomes differ from a serial run's? ``python benches/steady.py FOLDER --runs 20 [-- arguments]``

Runs the suite serially, then again and again with the given arguments of pytest (default: ``-n auto``), and lists every
test whose outcome was another one in some run. Ends with 1 if there is one. It measures no time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from benchlib.measure import environment
from benchlib.runners import SERIAL

Outcomes = dict[str, str]


def outcomes(xml: str) -> Outcomes:
    """Test to passed, failed, error or skipped, from a junitxml report."""
    found = {}
    for case in ElementTree.fromstring(xml).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found


def run(python: str, folder: Path, arguments: Sequence[str]) -> Outcomes:
    with tempfile.TemporaryDirectory(prefix="steady-") as temp:
        report = Path(temp) / "report.xml"
        command = [python, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment({}), stdout=subprocess.PIPE, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"pytest ended with {done.returncode}\n{done.stdout.decode(errors='replace')}")
        return outcomes(report.read_text())


def differences(serial: Outcomes, other: Outcomes) -> dict[str, str]:
    """Test to its outcome where that is not the serial run's; "missing" is one too."""
    names = sorted({*serial, *other})
    return {name: other.get(name, "missing") for name in names if serial.get(name) != other.get(name)}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has pytest and outpace")
    given, rest = parser.parse_known_args(arguments)
    rest = [argument for argument in rest if argument != "--"] or ["-n", "auto"]
    serial = run(given.python, given.folder, SERIAL)
    print(f"serial: {len(serial)} tests, {dict(Counter(serial.values()))}", flush=True)
    runs: Counter[str] = Counter()
    for number in range(given.runs):
        found = differences(serial, run(given.python, given.folder, rest))
        runs.update(found.keys())
        print(f"run {number + 1} of {given.runs}: {len(found)} differ", flush=True)
    for name, count in runs.most_common():
        print(f"  {count} of {given.runs} runs: {name}")
    return int(bool(runs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
