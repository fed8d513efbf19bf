"""The options table and the algebra between the options (contract 1.1)."""

from __future__ import annotations

import pytest
from project import NO_REORDER, XDIST, Project

CONFTEST = """
    import pytest

    MISSING = ()
    NAMES = ("numprocesses", "maxprocesses", "maxworkerrestart", "dist", "distload", "loadscopereorder",
             "maxschedchunk", "testrunuid", "tx", "px", "usepdb")
    NAMES = [name for name in NAMES if name not in MISSING]
    RAW = {}

    @pytest.hookimpl(trylast=True)
    def pytest_configure(config):
        RAW.update({name: getattr(config.option, name) for name in NAMES})

    def pytest_terminal_summary(terminalreporter, config):
        if not hasattr(config, "workerinput"):
            for name in NAMES:
                terminalreporter.write_line(f"option {name}={RAW[name]!r}")
"""
TEST = """
    import pytest
    @pytest.mark.parametrize("i", range(6))
    def test_many(i): pass
"""


SINCE = {"px": (3, 7), "loadscopereorder": (3, 8)}
MISSING = tuple(name for name, since in SINCE.items() if since > XDIST)


@pytest.fixture
def shown(project: Project) -> Project:
    return project.files(conftest=CONFTEST.replace("MISSING = ()", f"MISSING = {MISSING}"), test_many=TEST)


def options(lines: list[str]) -> dict[str, str]:
    pairs = (line[len("option ") :].split("=", 1) for line in lines if line.startswith("option "))
    return dict(pairs)


def known(values: dict[str, str]) -> dict[str, str]:
    """Without the options that came after the installed xdist."""
    return {name: value for name, value in values.items() if name not in MISSING}


def test_defaults(shown: Project) -> None:
    run = shown.run()
    run.match("collected 6 items")
    expected = {
        "numprocesses": "None",
        "maxprocesses": "None",
        "maxworkerrestart": "None",
        "dist": "'no'",
        "distload": "False",
        "loadscopereorder": "True",
        "maxschedchunk": "None",
        "testrunuid": "None",
        "tx": "[]",
        "px": "[]",
        "usepdb": "False",
    }
    assert options(run.lines) == known(expected)


def test_all_given(shown: Project) -> None:
    args = [
        "--numprocesses=2",
        "--maxprocesses=1",
        "--max-worker-restart=3",
        "--dist=loadfile",
        *NO_REORDER,
    ]
    run = shown.run(*args, "--maxschedchunk=5", "--testrunuid=uid")
    run.match("1 worker [[]6 items]")
    expected = {
        "numprocesses": "2",
        "maxprocesses": "1",
        "maxworkerrestart": "'3'",
        "dist": "'loadfile'",
        "distload": "False",
        "loadscopereorder": "False",
        "maxschedchunk": "5",
        "testrunuid": "'uid'",
        "tx": "['popen']",
        "px": "[]",
        "usepdb": "False",
    }
    assert options(run.lines) == known(expected)


@pytest.mark.parametrize(
    ("args", "dist"),
    [(["-n2"], "load"), (["-n2", "-d"], "load"), (["-n2", "--dist=no"], "load"), (["-n2", "--dist=each"], "each"),
     (["-n2", "--dist=worksteal"], "worksteal"), (["--tx=2*popen", "--dist=load"], "load"),
     (["--tx=2*popen", "-d"], "load")],
)  # fmt: skip
def test_distributed(shown: Project, args: list[str], dist: str) -> None:
    run = shown.run(*args)
    run.match("2 workers [[]6 items]")
    assert options(run.lines)["dist"] == repr(dist)
    assert run.counts == {"passed": 12 if dist == "each" else 6}


@pytest.mark.parametrize(
    "args",
    [["-n0"], ["-n0", "--dist=load"], ["-n0", "--tx=popen"], ["-d"], ["--dist=load"], ["--dist=loadscope"],
     ["--tx=2*popen"], ["-n-1"]],
)  # fmt: skip
def test_not_distributed(shown: Project, args: list[str]) -> None:
    run = shown.run(*args)
    run.match("collected 6 items")
    assert (run.ret, run.counts) == (0, {"passed": 6})


def test_n0_resets_what_distributes(shown: Project) -> None:
    seen = options(shown.run("-n0", "--dist=loadfile", "--tx=popen").lines)
    assert (seen["numprocesses"], seen["dist"], seen["tx"]) == ("0", "'no'", "[]")


@pytest.mark.parametrize("value", ["two", "1.5", ""])
def test_n_of_nonsense_is_a_usage_error(shown: Project, value: str) -> None:
    run = shown.run("-n", value)
    assert run.ret == 4
    assert "-n/--numprocesses" in run.err


@pytest.mark.parametrize("args", [["--dist=fast"], ["-n2", "--maxschedchunk=x"], ["-n2", "--maxprocesses=x"]])
def test_other_nonsense_is_a_usage_error(shown: Project, args: list[str]) -> None:
    run = shown.run(*args)
    assert run.ret == 4
    assert "error:" in run.err


@pytest.mark.parametrize("args", [["-n3", "--maxprocesses=1"], ["-nauto", "--maxprocesses=1"]])
def test_maxprocesses_cuts_the_workers_and_keeps_the_option(shown: Project, args: list[str]) -> None:
    run = shown.run(*args, env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "3"})
    run.match("1 worker [[]6 items]")
    assert options(run.lines)["numprocesses"] == "3"
    assert options(run.lines)["tx"] == "['popen']"


@pytest.mark.parametrize("addopts", ["-n auto", "-n2 --dist loadfile", "-n 2", "--dist loadfile -n2"])
def test_n_in_addopts(shown: Project, addopts: str) -> None:
    run = shown.ini(f"addopts = {addopts}").run(env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "2"})
    run.match("2 workers [[]6 items]")
    assert (run.ret, run.counts) == (0, {"passed": 6})


def test_n0_on_the_command_line_beats_addopts(shown: Project) -> None:
    shown.ini("addopts = -n auto").run("-n0").match("collected 6 items")


def test_dist_alone_in_addopts(shown: Project) -> None:
    shown.ini("addopts = --dist loadscope")
    shown.run().match("collected 6 items")
    assert options(shown.run("-n2").lines)["dist"] == "'loadscope'"


def test_n_in_the_environment(shown: Project) -> None:
    shown.run(env={"PYTEST_ADDOPTS": "-n2"}).match("2 workers [[]6 items]")


def test_raw_auto_is_seen_before_cmdline_main(project: Project) -> None:
    project.files(
        conftest="""
            def pytest_xdist_auto_num_workers(config):
                print("raw", repr(config.option.numprocesses))
                return 1
        """,
        test_a="def test_a(): pass",
    )
    project.run("-n", "auto").match("raw 'auto'")


@pytest.mark.fixed_by_outpace("-n auto --pdb runs serially, -n 2 --pdb is refused")
@pytest.mark.parametrize("value", ["auto", "logical", "2"])
def test_pdb_is_distributed(project: Project, value: str) -> None:
    """With a terminal: tests/debugger."""
    project.files(test_a="def test_a(): assert 0")
    run = project.run("-n", value, "--pdb")
    assert run.ret == 1
    run.match("outpace: 1 failure was not debugged: standard input is not a terminal")


def test_collect_only_is_not_distributed(shown: Project) -> None:
    run = shown.run("-n2", "--collect-only", "-q")
    assert run.ret == 0
    assert [line for line in run.lines if "::" in line] == [f"test_many.py::test_many[{i}]" for i in range(6)]
    assert "6 tests collected" in run.out


def test_help_lists_the_options(shown: Project) -> None:
    run = shown.run("--help")
    assert run.ret == 0
    since_always = ("--numprocesses", "--maxprocesses", "--max-worker-restart", "--dist", "--maxschedchunk",
                    "--testrunuid", "--tx")  # fmt: skip
    later = {"--px": "px", "--loadscope-reorder": "loadscopereorder", "--no-loadscope-reorder": "loadscopereorder"}
    for name in (*since_always, *(name for name, option in later.items() if option not in MISSING)):
        assert name in run.out, name


def test_tx_spec_reaches_the_worker(project: Project) -> None:
    project.files(
        test_a="""
            import os
            def test_a(request, worker_id):
                assert os.environ["FROM_SPEC"] == "yes"
                assert request.config.option.tx == ["popen//env:FROM_SPEC=yes//id=mine"]
                assert worker_id == "mine"
        """
    )
    run = project.run("--dist=load", "--tx=popen//env:FROM_SPEC=yes//id=mine")
    assert (run.ret, run.counts) == (0, {"passed": 1}), run.out
