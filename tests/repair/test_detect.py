"""Each reason not to fork is found, and nothing else is: a project that is safe to fork has no finding."""

from __future__ import annotations

import copy
import importlib.util
import marshal
import os
import pickle
import sys
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from conftest import ROOT, Project

sys.path.insert(0, str(ROOT / "python"))

from outpace.worker import detect, process_facts
from outpace.worker.detect import RecordingInput, TracedEnviron

NAME = "PYTEST_XDIST_WORKER"


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[TracedEnviron]:
    monkeypatch.setenv(NAME, "gw7")
    environ = TracedEnviron()
    environ.install()
    yield environ
    environ.uninstall()


DIRECT: dict[str, Callable[[], Any]] = {
    "item": lambda: os.environ[NAME],
    "get": lambda: os.environ.get(NAME),
    "getenv": lambda: os.getenv(NAME),
    "in": lambda: NAME in os.environ,
    "setdefault": lambda: os.environ.setdefault(NAME, "x"),
    "pop": lambda: os.environ.pop(NAME),
}
WHOLE: dict[str, Callable[[], Any]] = {
    "dict": lambda: dict(os.environ),
    "stars": lambda: {**os.environ},
    "copy": lambda: os.environ.copy(),
    "items": lambda: [*os.environ.items()],
    "values": lambda: [*os.environ.values()],
    "comprehension": lambda: {name: os.environ[name] for name in os.environ},
    "or": lambda: os.environ | {} if sys.version_info >= (3, 9) else {},
    "equal": lambda: os.environ == {"x": "y"},
}


@pytest.mark.parametrize("how", DIRECT)
def test_a_read_by_name_is_noted_with_its_place(traced: TracedEnviron, how: str) -> None:
    DIRECT[how]()
    (read,) = traced.reads
    assert (read.name, read.filename, read.lineno) == (NAME, __file__, DIRECT[how].__code__.co_firstlineno)
    assert (read.kind, read.harmless) == ("direct", False)


@pytest.mark.parametrize("how", WHOLE)
def test_a_copy_of_everything_is_noted_once_and_as_such(traced: TracedEnviron, how: str) -> None:
    WHOLE[how]()
    (read,) = traced.reads
    assert (read.filename, read.lineno, read.kind) == (__file__, WHOLE[how].__code__.co_firstlineno, "whole")


def test_a_read_after_a_copy_is_noted(traced: TracedEnviron) -> None:
    dict(os.environ)
    os.getenv(NAME)
    for name in os.environ:
        if name == NAME:
            break
    os.environ.get("HOME")
    os.getenv(NAME)
    assert [read.kind for read in traced.reads] == ["whole", "direct", "whole", "direct"]


def test_other_names_and_writing_are_not_noted(traced: TracedEnviron) -> None:
    os.environ["OTHER"] = "1"
    os.environ[NAME] = "gw8"
    del os.environ[NAME]
    assert os.environ.get("OTHER") == os.environ.pop("OTHER") == "1"
    assert "OTHER" not in os.environ
    assert len(os.environ) > 1
    assert traced.reads == []


def test_the_class_is_put_back() -> None:
    before = type(os.environ)
    environ = TracedEnviron()
    environ.install()
    assert type(os.environ) is not before
    environ.uninstall()
    environ.uninstall()
    assert type(os.environ) is before
    os.getenv(NAME)
    assert environ.reads == []


INPUT = {"workerid": "gw0", "testrunuid": "abc", "ident": "db_0"}
INPUT_READS: dict[str, Callable[[RecordingInput], Any]] = {
    "item": lambda given: given["workerid"],
    "get": lambda given: given.get("workerid"),
    "pop": lambda given: given.pop("workerid"),
    "setdefault": lambda given: given.setdefault("workerid"),
    "other-key": lambda given: given["ident"],
}
INPUT_COPIES: dict[str, Callable[[RecordingInput], Any]] = {
    "dict": dict,
    "stars": lambda given: {**given},
    "copy": lambda given: given.copy(),
    "items": lambda given: [*given.items()],
}


@pytest.mark.parametrize("how", INPUT_READS)
def test_a_read_of_the_workers_input_is_noted(how: str) -> None:
    given = RecordingInput(INPUT, ["ident"])
    INPUT_READS[how](given)
    (read,) = given.reads
    assert (read.filename, read.lineno) == (__file__, INPUT_READS[how].__code__.co_firstlineno)
    assert read.name == ("ident" if how == "other-key" else "workerid")
    assert read.kind == "direct"


@pytest.mark.parametrize("how", INPUT_COPIES)
def test_a_copy_of_the_workers_input_is_noted_as_such(how: str) -> None:
    given = RecordingInput(INPUT, ["ident"])
    assert INPUT_COPIES[how](given) in (INPUT, list(INPUT.items()))
    assert {read.kind for read in given.reads} == {"whole"}


def test_the_workers_input_is_a_dict_and_travels_as_one() -> None:
    given = RecordingInput(INPUT)
    assert "workerid" in given and "other" not in given and given["testrunuid"] == "abc"
    assert given.reads == []
    given.stop()
    assert isinstance(given, dict) and given == INPUT and repr(given) == repr(INPUT)
    for copied in (pickle.loads(pickle.dumps(given)), copy.deepcopy(given), copy.copy(given), dict(given)):
        assert type(copied) is dict and copied == INPUT
    assert marshal.loads(marshal.dumps(dict(given))) == INPUT
    given.update(workerid="gw1")
    given.clear()
    assert len(given) == 0 and given.get("workerid", 5) == 5
    assert given.reads == []


def codes(project: Project, conftest: str, *arguments: str, test: str = "") -> list[tuple[str, str]]:
    project.write("conftest.py", conftest)
    project.write("test_it.py", f"{test}\ndef test_it(): pass\n")
    return project.findings(*arguments)


SAFE = {
    "safe_whole_environment": "import os, subprocess, sys\nsubprocess.run(['true'], env=dict(os.environ))",
    "safe_ended_thread": "import threading\nthread = threading.Thread(target=print)\nthread.start()\nthread.join()",
    "safe_ended_child": "import subprocess\nchild = subprocess.Popen(['true'])\nchild.wait()",
    "safe_zombie": "import subprocess, time\nchild = subprocess.Popen(['true'])\ntime.sleep(0.3)",
    "safe_closed_socket": "import socket\nsocket.socket().close()",
    "safe_closed_loop": "import asyncio\nasyncio.run(asyncio.sleep(0))",
    "safe_ordinary_file": "FILE = open('some.txt', 'w')",
    "safe_resource_tracker": "import multiprocessing\nLOCK = multiprocessing.get_context('spawn').Lock()",
    "safe_asked_whether_worker": "def pytest_configure(config): assert hasattr(config, 'workerinput')",
    "safe_key_equal_on_all": "def pytest_configure(config): assert config.workerinput['testrunuid']",
    "safe_xdist_asked_whether": "import xdist\ndef pytest_sessionstart(session): assert xdist.is_xdist_worker(session)",
}


def test_a_safe_project_has_no_finding(project: Project) -> None:
    """All of them in one run: a finding tells by itself whom it accuses."""
    for name, text in SAFE.items():
        project.write(f"{name}.py", text)
    project.workerinput["testrunuid"] = "abc"
    project.path.append(project.folder)
    project.write("test_it.py", "def test_it(): pass\n")
    assert project.findings(*(word for name in SAFE for word in ("-p", name))) == []


UNSAFE = {
    "id-at-import": (
        "import os\nDB = os.environ.get('" + NAME + "')",
        "worker-id",
        f"conftest.py:2 read {NAME} before the fork",
    ),
    "id-from-copy": (
        "import os\nENV = dict(os.environ)\nDB = ENV['" + NAME + "']",
        "worker-id",
        f"conftest.py:2 read {NAME} before the fork",
    ),
    "id-from-input": (
        "def pytest_configure(config):\n    config.db = config.workerinput['workerid']",
        "worker-id",
        'conftest.py:2 read workerinput["workerid"] before the fork',
    ),
    "id-from-xdist": (
        "import xdist\ndef pytest_sessionstart(session):\n    xdist.get_xdist_worker_id(session)",
        "worker-id",
        'conftest.py:3 read workerinput["workerid"] before the fork',
    ),
    "thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), name='poller', daemon=True).start()",
        "threads",
        "a thread is alive: poller",
    ),
    "executor": (
        "from concurrent.futures import ThreadPoolExecutor\nPOOL = ThreadPoolExecutor(2, 'pool')\n"
        "import time\nfor _ in range(2): POOL.submit(time.sleep, 0.1)",
        "threads",
        "2 threads are alive: pool_0, pool_1",
    ),
    "child": (
        "import subprocess\nCHILD = subprocess.Popen(['sleep', '1'])",
        "child-process",
        "a child process is alive: sleep (",
    ),
    "socket": (
        "import socket\nSERVER = socket.create_server(('127.0.0.1', 0))",
        "socket",
        "a socket is open: at 127.0.0.1:",
    ),
    "sqlite": (
        "import sqlite3\nDB = sqlite3.connect('shop.data')\nDB.execute('create table t (x)')",
        "database",
        "a database file is open: ",
    ),
    "loop": ("import asyncio\nLOOP = asyncio.new_event_loop()", "event-loop", "an event loop is open"),
    "gevent": (
        "import sys, types\nmodule = sys.modules['gevent.monkey'] = types.ModuleType('m')\n"
        "module.is_module_patched = lambda name: name == 'socket'",
        "gevent",
        "gevent has patched the standard library",
    ),
    "eventlet": (
        "import sys, types\nmodule = sys.modules['eventlet.patcher'] = types.ModuleType('m')\n"
        "module.is_monkey_patched = lambda name: name == 'os'",
        "eventlet",
        "eventlet has patched the standard library",
    ),
    "torch": (
        "import sys, types\nmodule = sys.modules['torch.cuda'] = types.ModuleType('m')\n"
        "module.is_initialized = lambda: True",
        "cuda",
        "torch.cuda is initialised",
    ),
    "jax": (
        "import sys, types\nmodule = sys.modules['jax._src.xla_bridge'] = types.ModuleType('m')\n"
        "module._backends = {'cpu': object()}",
        "jax",
        "jax has started a backend",
    ),
}


@pytest.mark.parametrize("what", UNSAFE)
def test_an_unsafe_project_is_told_why(project: Project, what: str) -> None:
    conftest, code, message = UNSAFE[what]
    found = codes(project, conftest)
    assert found[0][0] == code
    assert found[0][1].startswith(message)
    if what != "loop":
        assert len(found) == 1
    assert all(len(text) < 120 and "\n" not in text for _, text in found)


def test_a_read_in_a_test_module_is_told(project: Project) -> None:
    found = codes(project, "", test="import os\nos.getenv('PYTEST_XDIST_WORKER')")
    assert found == [("worker-id", f"test_it.py:2 read {NAME} before the fork")]


def test_each_place_is_told_once(project: Project) -> None:
    found = codes(
        project, "import os\nfor _ in range(3): os.getenv('PYTEST_XDIST_WORKER')\nos.getenv('PYTEST_XDIST_WORKER')"
    )
    assert [message.partition(" ")[0] for _, message in found] == ["conftest.py:2", "conftest.py:3"]


def test_a_key_that_differs_between_workers_is_told(project: Project) -> None:
    project.workerinput = {"ident": "db_0"}
    project.per_worker_keys = ["ident"]
    found = codes(project, "def pytest_configure(config):\n    config.workerinput['ident']")
    assert found == [("worker-id", 'conftest.py:2 read workerinput["ident"] before the fork')]


PLUGINS = {
    "pytest_benchmark.plugin": [],
    "syrupy": [],
    "inline_snapshot.pytest_plugin": [],
    "pytest_check.plugin": [],
    "pytest_cov.plugin": ["--cov"],
    "pytest_randomly": [],
    "pytest_timeout": [],
    "allure_pytest.plugin": ["--alluredir=allure"],
    "xdist": [],
}


def test_well_known_plugins_are_harmless(project: Project) -> None:
    installed = [name for name in PLUGINS if importlib.util.find_spec(name.partition(".")[0])]
    assert {"xdist", "pytest_benchmark.plugin"} <= set(installed)
    project.workerinput = {
        "randomly_seed": 7,
        "cov_master_host": "elsewhere",
        "cov_master_topdir": "/",
        "cov_master_rsync_roots": [],
    }
    assert codes(project, "", *(word for name in installed for word in ("-p", name, *PLUGINS[name]))) == []


def test_a_known_reader_counts_as_harmless_and_its_copy_as_a_reader(project: Project) -> None:
    """The same line in pytest_benchmark and in a package that nobody has heard of."""
    for name in ("pytest_benchmark", "unheard_of"):
        project.write(f"{name}/__init__.py", "import os\nASKED = 'PYTEST_XDIST_WORKER' in os.environ\n")
    project.path.append(project.folder)
    found = codes(project, "", "-p", "pytest_benchmark", "-p", "unheard_of")
    assert found == [("worker-id", f"unheard_of/__init__.py:2 read {NAME} before the fork")]


def test_a_platform_without_fork_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    found = detect.findings(detect.snapshot(), TracedEnviron(), RecordingInput(), None)  # type: ignore[arg-type]
    assert found == [detect.Finding("platform", "this platform cannot fork")]


@pytest.mark.parametrize(
    ("target", "code"),
    [("/dev/nvidia0", "gpu"), ("/dev/kfd", "gpu"), ("socket:[1]", "socket"), ("anon_inode:[eventpoll]", "event-loop"),
     ("pipe:[1]", None), ("/dev/null", None), ("anon_inode:[eventfd]", None)],
)  # fmt: skip
def test_descriptors_are_known_by_their_target(target: str, code: str | None) -> None:
    with open(os.devnull) as null:
        kind = process_facts.unsafe_kind(null.fileno(), target)
    assert (kind and kind.code) == code


def test_looking_leaves_a_socket_as_it_is() -> None:
    """Under a default timeout every new socket object makes its descriptor non-blocking."""
    import socket

    ours, theirs = socket.socketpair()
    socket.setdefaulttimeout(5)
    try:
        assert process_facts.describe(ours.fileno(), "socket:[1]") == "to an unnamed peer"
        assert os.get_blocking(ours.fileno())
    finally:
        socket.setdefaulttimeout(None)
        ours.close()
        theirs.close()
