"""xdist's own portable tests: whatever passes with plain xdist passes with outpace.

The tests come from xdist's source archive; both engines run them in this interpreter's environment. Results of
plain xdist are taken from ``portable-baseline.json`` where that fits, else computed
(``OUTPACE_PORTABLE_BASELINE=recompute`` computes them always).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import portable
import pytest
import xdist_source

pytestmark = pytest.mark.xdist_group("portable")

ENGINE = os.environ.get("OUTPACE_TEST_ENGINE", "outpace")


@pytest.fixture(scope="session")
def tree() -> Path:
    try:
        return xdist_source.source_tree()
    except xdist_source.SourceUnavailable as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def with_xdist(tree: Path) -> dict[str, str]:
    recorded = portable.recorded_baseline()
    if recorded is not None and os.environ.get("OUTPACE_PORTABLE_BASELINE") != "recompute":
        return recorded
    return {name: result.outcome for name, result in portable.run("xdist", tree).items()}


@pytest.fixture(scope="session")
def with_engine(engine_runs: None, tree: Path) -> dict[str, portable.Result]:
    return portable.run(ENGINE, tree)


@pytest.fixture(scope="session")
def engine_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without this, an environment that lacks outpace would test xdist against itself."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / "test_one.py").write_text("def test_one(): pass\n")
    command = [sys.executable, "-m", "pytest", "-n1", "-p", "no:cacheprovider"]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True, timeout=120, check=False)
    runs_outpace = any(line.startswith("outpace ") for line in done.stdout.splitlines())
    if ENGINE == "outpace" and not runs_outpace:
        pytest.fail(f"outpace does not run `pytest -n1` here:\n{done.stdout}", pytrace=False)


@pytest.mark.parametrize("name", portable.ids())
def test_passes_as_with_xdist(name: str, with_xdist: dict[str, str], with_engine: dict[str, portable.Result]) -> None:
    before, after = with_xdist[name], with_engine[name]
    excused = portable.exceptions().get(name)
    if excused is not None:
        assert after.outcome != "passed", "passes again: take it off exceptions.json"
        pytest.xfail(excused)
    if before == "passed" and after.outcome != "passed":
        pytest.fail(f"passes with plain xdist, {after.outcome} with {ENGINE}:\n{after.text}", pytrace=False)


def test_exceptions_name_portable_tests_and_give_a_reason() -> None:
    listed = portable.exceptions()
    assert set(listed) <= set(portable.ids())
    assert all(len(reason) > 20 for reason in listed.values())


def test_baseline_is_strong_enough_to_compare_with(with_xdist: dict[str, str]) -> None:
    """At most five of the 117 need something absent here; more means the baseline itself went wrong."""
    assert set(with_xdist) == set(portable.ids())
    lost = {name: outcome for name, outcome in with_xdist.items() if outcome != "passed"}
    assert len(lost) <= 5, lost
