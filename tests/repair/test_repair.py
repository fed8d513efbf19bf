"""The list of repairs as a whole: order, names, failures, and sessions in which a plugin is switched off."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT, Project

sys.path.insert(0, str(ROOT / "python"))

from outpace.worker.repair import REPAIRS

ORDER = ["close_fds", "signals", "atexit", "environ", "workerinput", "stdio", "capture", "tmp_path", "asyncio"]
ORDER += ["random", "numpy", "pytest_cov", "allure", "rerunfailures", "pytest_retry", "testmon"]


def test_repairs_are_in_the_order_that_they_need() -> None:
    names = [each.name for each in REPAIRS]
    assert len(set(names)) == len(names)
    assert [name for name in names if name in ORDER] == ORDER
    assert all(each.reason for each in REPAIRS)


TESTS = """
import os, pytest
@pytest.mark.parametrize("n", range(4))
def test_it(n, record_property):
    print(f"printed by {n}")
    record_property("worker", os.environ["PYTEST_XDIST_WORKER"])
"""


@pytest.mark.parametrize(
    "plugins",
    [
        "tmpdir",
        "terminal warnings",
        "logging cacheprovider faulthandler unraisableexception threadexception pastebin recwarn doctest stepwise",
    ],
)
def test_a_plugin_that_is_switched_off_is_not_missed(project: Project, plugins: str) -> None:
    project.write("test_it.py", TESTS)
    outcome = project.run(*(word for name in plugins.split() for word in ("-p", f"no:{name}")))
    assert outcome.said("worker") == ["gw0", "gw1"], outcome
    calls = [call for worker in outcome.workers for call in worker.calls.values()]
    assert [call["sections"] for call in calls] == [{"Captured stdout call": f"printed by {n}\n"} for n in (0, 2, 1, 3)]
    assert [status for _, status in outcome.template.each("exited")] == [0, 0]


def test_a_repair_that_fails_names_itself(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        class Stubborn:
            def __setattr__(self, name, value):
                raise OSError("no")
        def pytest_collection_finish(session):
            session.config._tmp_path_factory = Stubborn()
        """,
    )
    project.write("test_it.py", "def test_it(): pass\n")
    error = project.run(workers=1).workers[0].one("error")
    assert error == """RuntimeError("after-fork repair 'tmp_path' failed") from OSError('no')"""


def test_repairs_load_no_plugin_of_others() -> None:
    """In a project without them, a worker must not pay for coverage, numpy or the like."""
    code = """if 1:
        import sys
        import outpace.worker.repair, outpace.worker.detect
        outpace.worker.repair.process.resolve()
        print(sorted({name.partition(".")[0] for name in sys.modules}))
    """
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": str(ROOT / "python")}, capture_output=True, text=True
    )
    loaded = set(eval(done.stdout))
    assert not loaded & {"coverage", "numpy", "asyncio", "multiprocessing", "sqlite3", "xdist", "allure_pytest"}
