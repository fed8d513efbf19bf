"""Exit codes and what is said with them (contract 1.9): parity with xdist, or the repair where the contract says so."""

from __future__ import annotations

import pytest
from project import Project, not_forced_to_fork

TWENTY = """
    import pytest, time
    @pytest.mark.parametrize("i", range(20))
    def test_many(i):
        time.sleep(0.01)
        assert i != 3
"""


def test_all_pass(project: Project) -> None:
    run = project.files(test_a="def test_a(): pass").run("-n2")
    assert (run.ret, run.counts) == (0, {"passed": 1})


def test_failure(project: Project) -> None:
    run = project.files(test_a=TWENTY).run("-n2")
    assert (run.ret, run.counts) == (1, {"failed": 1, "passed": 19})


@pytest.mark.parametrize("args", [("-x",), ("--maxfail=1",)])
def test_maxfail(project: Project, args: tuple[str, ...]) -> None:
    """Two banners and exit 2; tests that run at that moment end and are reported, and no other is started."""
    source = """
        import pytest, time
        @pytest.mark.parametrize("i", range(40))
        def test_many(i):
            with open("ran.txt", "a") as file: file.write(f"{i}\\n")
            time.sleep(0.05)
            assert i
    """
    run = project.files(test_a=source).run("-n2", *args)
    assert run.ret == 2
    run.match("*stopping after 1 failures*", "*xdist.dsession.Interrupted: stopping after 1 failures*")
    started = len((project.path / "ran.txt").read_text().splitlines())
    assert run.counts["failed"] == 1
    assert run.counts.get("passed", 0) + 1 == started < 10


def test_collection_error_lets_other_files_run(project: Project) -> None:
    run = project.files(test_a=TWENTY, test_broken="import nothing_of_that_name").run("-n2")
    assert (run.ret, run.counts) == (1, {"failed": 1, "passed": 19, "error": 1})
    assert run.out.count("ERROR collecting test_broken.py") == 1


def test_collection_error_with_x(project: Project) -> None:
    run = project.files(test_a=TWENTY, test_broken="import nothing_of_that_name").run("-n2", "-x")
    assert run.ret == 2
    assert run.out.count("ERROR collecting test_broken.py") == 1


def test_collection_error_alone(project: Project) -> None:
    run = project.files(test_broken="def broken(:").run("-n2")
    assert (run.ret, run.counts) == (1, {"error": 1})
    assert run.out.count("SyntaxError") >= 1


@pytest.mark.parametrize("args", [("-k", "nothing_of_that_name"), ("--deselect", "test_a.py"), ("-m", "nothing")])
def test_nothing_selected(project: Project, args: tuple[str, ...]) -> None:
    run = project.files(test_a="def test_a(): pass").run("-n2", *args)
    assert run.ret == 5
    assert "no tests ran" in run.out or "deselected" in run.lines[-1]


def test_no_tests(project: Project) -> None:
    project.files(test_a="")
    assert project.run("-n2").ret == 5


@pytest.mark.fixed_by_outpace("ends with 5 and without a word (#109)")
@pytest.mark.parametrize(
    "path", ["missing.py", "missing/", "test_a.py::test_missing", "test_a.py::TestMissing::test_a"]
)
def test_missing_path(project: Project, path: str) -> None:
    project.files(test_a="def test_a(): pass")
    serial, run = project.plain(path), project.run("-n2", path)
    said = [line for line in serial.err.splitlines() + serial.lines if line.startswith("ERROR:")]
    assert (serial.ret, run.ret) == (4, 4)
    assert said
    assert all(line in run.err + run.out for line in said)


@pytest.mark.fixed_by_outpace("ends with an internal error (#1239)")
@pytest.mark.parametrize("where", ["test", "fixture"])
def test_pytest_exit(project: Project, where: str) -> None:
    sources = {
        "test": "import pytest\ndef test_a(): pytest.exit('bye', 7)",
        "fixture": "import pytest\n@pytest.fixture\ndef f(): pytest.exit('bye', 7)\ndef test_a(f): pass",
    }
    project.files(test_a=sources[where], test_b="def test_b(): pass")
    run = project.run("-n2")
    assert (project.plain().ret, run.ret) == (7, 7)
    assert "bye" in run.out + run.err
    assert "INTERNALERROR" not in run.out + run.err


@pytest.mark.fixed_by_outpace("ends with 5, 'no tests ran', after 4 restarts a worker (#814)")
@pytest.mark.parametrize("how", ["os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_every_worker_dies_at_import(project: Project, how: str) -> None:
    project.files(test_a=f"import os\n{how}\ndef test_a(): pass")
    run = project.run("-n2")
    assert run.ret in (1, 3)
    said = run.out + run.err
    assert "test_a.py" in said or "died" in said or "crash" in said.lower()
    assert said.count("replacing crashed worker") <= 4


FIXTURE = """
    import pytest
    @pytest.fixture
    def my_fixture():
        "what it is for"
    def test_a(my_fixture): pass
"""


@pytest.mark.parametrize("option", ["--fixtures", "--fixtures-per-test"])
def test_fixtures_are_printed(project: Project, option: str) -> None:
    project.files(test_a=FIXTURE)
    serial, run = project.plain(option), project.run("-n2", option)
    assert (serial.ret, run.ret) == (0, 0)
    run.match("*my_fixture*", "*what it is for*")
    assert run.out.count("what it is for") == serial.out.count("what it is for") == 1


@pytest.mark.fixed_by_outpace("starts the workers first")
@pytest.mark.parametrize("option", ["--fixtures", "--fixtures-per-test"])
def test_fixtures_are_printed_without_workers(project: Project, option: str) -> None:
    run = project.files(test_a=FIXTURE).run("-n2", option)
    assert run.ret == 0
    assert "workers" not in run.out


@not_forced_to_fork
def test_different_collections_are_told(project: Project) -> None:
    """Ids made from the worker's id: no worker can run another's tests, so none runs."""
    project.files(
        test_a="""
            import os, pytest
            @pytest.mark.parametrize("name", ["same", os.environ.get("PYTEST_XDIST_WORKER")])
            def test_a(name): pass
        """
    )
    run = project.run("-n2")
    assert run.ret == 1
    run.match("*ERROR collecting gw1*", "*Different tests were collected between gw0 and gw1*")
    assert "passed" not in run.counts


@pytest.mark.parametrize("option", ["--markers", "--version", "--help"])
def test_options_that_only_print(project: Project, option: str) -> None:
    serial, run = project.plain(option), project.run("-n2", option)
    assert (serial.ret, run.ret) == (0, 0)
    assert not run.has("*created: *workers*")
    assert (serial.out + serial.err).split()[:2] == (run.out + run.err).split()[:2]


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only"])
def test_setup_options_do_not_fail(project: Project, option: str) -> None:
    assert project.files(test_a="def test_a(tmp_path): pass").run("-n2", option).ret == 0


def test_keyboard_interrupt_in_a_test(project: Project) -> None:
    project.files(test_a="def test_a(): raise KeyboardInterrupt\ndef test_b(): pass")
    run = project.run("-n2")
    assert (project.plain().ret, run.ret) == (2, 2)


@pytest.mark.parametrize(
    "hook",
    [
        "pytest_collection_modifyitems",
        "pytest_sessionstart",
        pytest.param(
            "pytest_runtest_protocol",
            marks=pytest.mark.fixed_by_outpace("prints INTERNALERROR, runs no test and ends with 0"),
        ),
    ],
)
def test_internal_error_in_a_worker(project: Project, hook: str) -> None:
    project.files(
        conftest=f"""
            import os
            def {hook}():
                if "PYTEST_XDIST_WORKER" in os.environ: raise ValueError("my hook broke")
        """,
        test_a="def test_a(): pass",
    )
    run = project.run("-n2")
    assert run.ret == 3
    assert "my hook broke" in run.out + run.err


def test_internal_error_in_the_controller(project: Project) -> None:
    project.files(
        conftest="""
            def pytest_runtest_logreport(report):
                if hasattr(report, "node"): raise ValueError("my hook broke")
        """,
        test_a=TWENTY,
    )
    run = project.run("-n2")
    assert run.ret == 3
    assert "my hook broke" in run.out + run.err


def test_conftest_that_raises(project: Project) -> None:
    project.files(conftest="raise ValueError('my conftest broke')", test_a="def test_a(): pass")
    serial, run = project.plain(), project.run("-n2")
    assert serial.ret == run.ret == 4
    assert (run.out + run.err).count("my conftest broke") == (serial.out + serial.err).count("my conftest broke")


def test_unknown_option(project: Project) -> None:
    run = project.files(test_a="def test_a(): pass").run("-n2", "--nothing-of-that-name")
    assert run.ret == 4
    assert "unrecognized arguments: --nothing-of-that-name" in run.err


def test_sessionfinish_may_set_the_exit_code(project: Project) -> None:
    project.files(
        conftest="""
            def pytest_sessionfinish(session):
                if not hasattr(session.config, "workerinput"): session.exitstatus = 42
        """,
        test_a="def test_a(): pass",
    )
    assert project.run("-n2").ret == 42


def test_stepwise(project: Project) -> None:
    project.files(test_a="import time\ndef test_a(): assert 0\ndef test_b(): time.sleep(0.3)\ndef test_c(): pass")
    run = project.run("-n2", "--stepwise")
    assert run.ret == 2
    run.match("*Test failed, continuing from this test next run*")


CRASHES = """
    import os, pytest
    @pytest.mark.parametrize("i", range(10))
    def test_many(i):
        if i == 4: os._exit(9)
"""


@pytest.mark.parametrize("dist", ["load", "worksteal"])
def test_worker_dies_in_a_test(project: Project, dist: str) -> None:
    run = project.files(test_a=CRASHES).run("-n2", f"--dist={dist}")
    assert (run.ret, run.counts) == (1, {"failed": 1, "passed": 9})
    run.match("*node down: Not properly terminated*", "*replacing crashed worker gw*")
    assert run.has("worker 'gw?' crashed while running 'test_a.py::test_many[[]4[]]'*")


def test_restarts_disabled(project: Project) -> None:
    run = project.files(test_a=CRASHES).run("-n2", "--max-worker-restart=0")
    assert run.ret == 1
    assert run.counts["failed"] == 1
    assert run.has("*worker gw? crashed and worker restarting disabled*")
    run.match("*xdist: worker gw? crashed and worker restarting disabled*")


def test_restart_limit(project: Project) -> None:
    source = "import os, pytest\n@pytest.mark.parametrize('i', range(10))\ndef test_many(i): os._exit(9)"
    run = project.files(test_a=source).run("-n2", "--max-worker-restart=2")
    assert run.ret == 1
    run.match("*maximum crashed workers reached: 2*", "*xdist: maximum crashed workers reached: 2*")
