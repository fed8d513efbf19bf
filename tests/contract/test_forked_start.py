"""The template as a fork of the controller: where it is one, where it must not be, and that nobody can tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from project import ENGINE, START_METHOD, Project, Run

pytestmark = [
    pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own"),
    pytest.mark.skipif(START_METHOD == "spawn", reason="then it is a fresh interpreter"),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux only"),
]

FACTS = """
    import json, os, pathlib, sys
    def test_facts():
        frame, depth = sys._getframe(), 0
        while frame:
            bottom = frame.f_globals["__name__"]
            frame, depth = frame.f_back, depth + 1
        spec = sys.modules["__main__"].__spec__
        pathlib.Path("facts.json").write_text(json.dumps({
            "main": spec.name if spec else None,
            "depth": depth,
            "bottom": bottom,
            "last": [name for name in dir(sys) if name.startswith("last_")],
            "hook": sys.excepthook is sys.__excepthook__,
            "path hooks": [type(each).__name__ for each in sys.meta_path].count("AssertionRewritingHook"),
            "stdin": os.readlink("/proc/self/fd/0"),
            "leads": os.getpgid(0) == os.getpid(),
            "marker": os.environ.get("MARKER"),
        }))
"""


def facts(project: Project, *args: str, **options: Any) -> dict[str, Any]:
    (project.path / "facts.json").unlink(missing_ok=True)
    run = project.run(*args, **options)
    assert run.ret == 0, run.out + run.err
    found: dict[str, Any] = json.loads((project.path / "facts.json").read_text())
    return found


def is_fork(found: dict[str, Any]) -> bool:
    """A fresh interpreter is started with ``-c``; a fork keeps the program that the controller is."""
    return bool(found["main"] == "pytest.__main__")


def test_a_test_cannot_tell(project: Project) -> None:
    project.files(test_a=FACTS)
    serial = facts(project, "-n0")
    found = facts(project, "-n1")
    assert is_fork(serial) and is_fork(found)
    assert found["depth"] <= serial["depth"] + 5
    assert found["bottom"] in ("__main__", "runpy")
    assert found["last"] == [] and found["hook"] is True
    assert found["path hooks"] == serial["path hooks"] == 1
    assert found["stdin"] == "/dev/null" and found["leads"]


def test_from_a_script_that_is_called_by_a_relative_path(project: Project) -> None:
    main = "from outpace.pytest_private import run_command\nif __name__ == '__main__':\n    sys.exit(run_command())\n"
    script = project.path / "bin" / "pytest"
    script.parent.mkdir()
    script.write_text(f"import sys\n{main}")
    project.files(
        test_a="import os, sys\n"
        "def test_it():\n"
        "    assert os.path.basename(sys.modules['__main__'].__file__) == 'pytest'\n"
    )
    subprocess.run([sys.executable, "bin/pytest", "-n1"], cwd=project.path, check=True)


THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n"
TRACE = "import sys\nsys.settrace(lambda *args: None)\n"
READER = "import os\nWORKER = os.environ.get('PYTEST_XDIST_WORKER')\n"
SOCKET = "import socket\nPAIR = socket.socketpair()\n"


@pytest.mark.parametrize("plugin", [THREAD, TRACE, READER, SOCKET], ids=["thread", "trace", "worker id", "socket"])
def test_fresh_where_a_plugin_is_in_the_way(project: Project, plugin: str) -> None:
    project.files(test_a=FACTS, early=plugin)
    assert not is_fork(facts(project, "-n1", "-p", "early"))


def test_fresh_when_spawn_is_asked_for(project: Project) -> None:
    project.files(test_a=FACTS)
    assert not is_fork(facts(project, "-n1", "--start-method=spawn"))
    project.ini("outpace_start_method = spawn")
    assert not is_fork(facts(project, "-n1"))


def test_fresh_when_pytest_ran_before_in_the_process(project: Project) -> None:
    """What the first run has left behind must not be found in the second."""
    project.files(
        test_a=FACTS,
        conftest="""
        import pytest
        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(session):
            if not hasattr(session.config, "workerinput") and session.config.option.numprocesses is None:
                pytest.main(["-n1", "-q", "test_a.py"])
        """,
    )
    assert not is_fork(facts(project, "-k", "nothing or facts"))


def test_the_workers_environment_is_the_controllers_of_later(project: Project) -> None:
    project.files(
        test_a=FACTS,
        conftest="""
        import os
        def pytest_configure(config):
            if not hasattr(config, "workerinput"):
                os.environ["MARKER"] = "set by the controller"
        """,
    )
    assert facts(project, "-n1")["marker"] == "set by the controller"


def test_buffered_output_is_written_once(project: Project) -> None:
    project.files(test_a=FACTS, early="import sys\nsys.stdout.write('from the plugin')\n")
    run = project.run("-n2", "-p", "early")
    assert run.ret == 0
    assert run.out.count("from the plugin") == 1


def test_a_template_that_runs_the_tests_itself_ends_as_an_interpreter_does(project: Project) -> None:
    """Exit handlers run, and threads are waited for."""
    project.files(
        test_a="""
        import atexit, pathlib, threading, time
        def note(text):
            with open("notes", "a") as file:
                file.write(text + "\\n")
        def later():
            time.sleep(0.2)
            note("thread")
        def test_a():
            atexit.register(note, "exit handler")
            threading.Thread(target=later).start()
        """,
        conftest="import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n",
    )
    run = project.run("-n1")
    assert run.ret == 0, run.out
    run.match("*spawned, not forked: a thread is alive*")
    assert Path(project.path, "notes").read_text().split("\n")[:2] == ["thread", "exit handler"]


def test_assertions_of_conftest_and_tests_are_rewritten(project: Project) -> None:
    project.files(test_a="def test_a():\n    x = [1, 2]\n    assert x == [1, 3]\n")
    run: Run = project.run("-n1")
    run.match("*At index 1 diff: 2 != 3*")


def test_a_conftest_that_changes_the_folder_changes_where_the_session_begins(project: Project) -> None:
    """The template makes its configuration before it knows where the controller ends up."""
    project.files(
        conftest="import os, pathlib\npathlib.Path(__file__).with_name('sub').mkdir(exist_ok=True)\n"
        "os.chdir(pathlib.Path(__file__).with_name('sub'))",
        test_a="""
            import os
            def test_folder(request):
                assert str(request.config.invocation_params.dir) == os.getcwd()
                assert os.path.basename(os.getcwd()) == "sub"
        """,
    )
    run = project.run("-n1", str(project.path / "test_a.py"))
    assert run.ret == 0, run.out


def test_the_controllers_end_finds_what_was_alive_before_the_first_test(project: Project) -> None:
    """A file in a reference cycle is flushed when the interpreter ends, and only if the collector sees it."""
    project.files(
        conftest="""
            import os
            class Holder: pass
            def pytest_configure(config):
                if hasattr(config, "workerinput"): return
                holder = config.holder = Holder()
                holder.itself = holder
                holder.file = open("kept.txt", "w")
                holder.file.write("kept")
            def pytest_sessionfinish(session):
                session.config.__dict__.pop("holder", None)
        """,
        test_a="def test_a(): pass",
    )
    run = project.run("-n1", "-W", "ignore::ResourceWarning")
    assert run.ret == 0, run.out
    assert (project.path / "kept.txt").read_text() == "kept"
