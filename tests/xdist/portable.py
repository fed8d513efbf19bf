"""Run the portable part of xdist's own tests with one engine, and say how each test ended.

``portable.txt`` names the tests, ``portable-baseline.json`` how they end with plain xdist in the environment it
describes, ``exceptions.json`` (node id -> reason) the tests that outpace is allowed to lose.

As a command: ``python tests/xdist/portable.py run outpace|xdist`` prints the results that are not passes,
``python tests/xdist/portable.py baseline`` writes the baseline anew with plain xdist.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
for _folder in (HERE, SUPPORT):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import outcomes  # noqa: E402
import xdist_source  # noqa: E402

BASELINE = HERE / "portable-baseline.json"
EXCEPTIONS = HERE / "exceptions.json"
# Compares the worker's argv with that of the process the test itself runs in.
IN_PROCESS = "testing/test_remote.py::test_remote_mainargv"
# They demand that gw0 gets the first unit, which xdist itself gives to whichever worker reports first (#1068).
RACING = (
    "testing/acceptance_test.py::TestLoadScope::test_workqueue_ordered_by_size",
    "testing/acceptance_test.py::TestLoadScope::test_workqueue_ordered_by_input",
    # Counts crashes exactly, although the other worker may be in a test that crashes too when the limit is reached.
    "testing/acceptance_test.py::TestNodeFailure::test_max_worker_restart_tests_queued",
)
RACING_ATTEMPTS = 5
RUN_LIMIT = 1800
# Not for the nested runs: each would change what they print or which engine they use.
_FOREIGN = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_CURRENT_TEST", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")


@dataclass(frozen=True)
class Result:
    outcome: str
    text: str = ""


def ids() -> list[str]:
    return (HERE / "portable.txt").read_text().split("\n")[:-1]


def exceptions() -> dict[str, str]:
    return json.loads(EXCEPTIONS.read_text())  # type: ignore[no-any-return]


def environment() -> dict[str, str]:
    """What decides how the tests end with plain xdist; a baseline is good for an equal environment only."""
    found = {"python": platform.python_version().rsplit(".", 1)[0], "system": platform.system()}
    for name in ("pytest", "pytest-xdist"):
        found[name] = version(name)
    for name in ("filelock", "pexpect", "psutil"):
        found[name] = "present" if importlib.util.find_spec(name) else "absent"
    found["tests"] = xdist_source.VERSION
    return found


def run(engine: str, tree: Path) -> dict[str, Result]:
    """Every test of ``portable.txt`` with ``engine`` ("outpace" or "xdist"), by this interpreter."""
    wanted = ids()
    results = _run_mode(engine, tree, [name for name in wanted if name != IN_PROCESS], "subprocess")
    results.update(_run_mode(engine, tree, [IN_PROCESS], "inprocess"))
    for _ in range(RACING_ATTEMPTS - 1):
        lost = [name for name in RACING if results[name].outcome == "failed"]
        if lost:
            results.update(_run_mode(engine, tree, lost, "subprocess"))
    return {name: results[name] for name in wanted}


def _run_mode(engine: str, tree: Path, names: list[str], mode: str) -> dict[str, Result]:
    with tempfile.TemporaryDirectory(prefix="portable-") as scratch:
        selection, record = Path(scratch, "ids.txt"), Path(scratch, "record.json")
        selection.write_text("\n".join(names))
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "nested_engine", "-p", "outcomes"]
        command += ["-q", "--no-header", "-n0", f"--runpytest={mode}", f"--basetemp={scratch}/base", f"@{selection}"]
        output = _in_group(command, tree, _environ(engine, record))
        if not record.is_file():
            raise RuntimeError(f"the {mode} run of xdist's tests left no record:\n{output[-4000:]}")
        return _results(names, outcomes.load(record))


def _environ(engine: str, record: Path) -> dict[str, str]:
    environ = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    environ = {key: value for key, value in environ.items() if not key.startswith("PYTEST_XDIST_")}
    environ["PYTHONPATH"] = os.pathsep.join([str(HERE), str(SUPPORT), *filter(None, [environ.get("PYTHONPATH")])])
    environ["OUTCOMES_FILE"] = str(record)
    start_method = environ.get("OUTPACE_TEST_START_METHOD")
    if engine == "xdist":
        environ["NESTED_ADDOPTS"] = "-p no:outpace"
    elif start_method:
        environ["NESTED_ADDOPTS"] = f"--start-method={start_method}"
    return environ


def _in_group(command: list[str], cwd: Path, environ: dict[str, str]) -> str:
    """Run in a process group of its own, so that nothing a nested run started is left behind."""
    process = subprocess.Popen(
        command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        return process.communicate(timeout=RUN_LIMIT)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _results(names: Iterable[str], record: dict[str, Any]) -> dict[str, Result]:
    table = outcomes.outcome_table(record)
    texts: dict[str, list[str]] = {}
    for report in record["reports"]:
        if report["outcome"] != "passed":
            parts = [str(report["longrepr"])] + [f"--- {title}\n{text}" for title, text in report["sections"]]
            texts.setdefault(report["nodeid"], []).append("\n".join(parts))
    results = {}
    for name in names:
        phases = Counter(outcome for _, outcome in table.get(name, []))
        outcome = next((one for one in ("failed", "xfailed", "skipped", "passed") if phases[one]), "missing")
        results[name] = Result(outcome, "\n".join(texts.get(name, [])))
    return results


def recorded_baseline() -> dict[str, str] | None:
    """node id -> outcome with plain xdist, if the recorded one is of an environment like this one."""
    if not BASELINE.is_file():
        return None
    data = json.loads(BASELINE.read_text())
    if data["environment"] != environment() or set(data["outcomes"]) != set(ids()):
        return None
    return data["outcomes"]  # type: ignore[no-any-return]


def write_baseline(results: dict[str, Result]) -> None:
    data = {"environment": environment(), "outcomes": {name: result.outcome for name, result in results.items()}}
    BASELINE.write_text(json.dumps(data, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run").add_argument("engine", choices=("outpace", "xdist"))
    commands.add_parser("baseline")
    given = parser.parse_args()
    results = run("xdist" if given.command == "baseline" else given.engine, xdist_source.source_tree())
    if given.command == "baseline":
        write_baseline(results)
    for name, result in results.items():
        if result.outcome != "passed":
            print(f"{result.outcome.upper()} {name}\n{result.text}\n")
    print(dict(Counter(result.outcome for result in results.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
