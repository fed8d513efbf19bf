"""A project whose tests die in every phase and every way, among tests that must not suffer from it."""

from __future__ import annotations

from .arena import Arena

# How a test dies -> what is to be said of it.
WAYS = {
    "sigkill": "signal 9 (SIGKILL)",
    "sigsegv": "signal 11 (SIGSEGV)",
    "abort": "signal 6 (SIGABRT)",
    "exit0": "exit code 0",
    "exit7": "exit code 7",
    "overflow": "signal 11 (SIGSEGV)",
    "null": "signal 11 (SIGSEGV)",
    "fatal": "signal 6 (SIGABRT)",
    "thread": "exit code 5",
}
PHASES = ("setup", "call", "teardown")
# Places between the phases -> the phase that is to be named.
GAPS = {
    "logstart": None,
    "report-setup": "setup",
    "report-call": "call",
    "report-teardown": "teardown",
    "serialise-call": "call",
    "logfinish": "teardown",
}

CONFTEST = """
    import ctypes, faulthandler, os, signal, threading
    import pytest

    def in_thread():
        thread = threading.Thread(target=os._exit, args=(5,))
        thread.start()
        thread.join()

    WAYS = {
        "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "sigsegv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "abort": os.abort,
        "exit0": lambda: os._exit(0),
        "exit7": lambda: os._exit(7),
        "overflow": faulthandler._stack_overflow,
        "null": lambda: ctypes.string_at(0),
        "fatal": lambda: ctypes.pythonapi.Py_FatalError(b"told to"),
        "thread": in_thread,
    }

    def die(how):
        faulthandler.disable()
        WAYS[how]()

    @pytest.fixture
    def doom(request):
        how, where = request.param.split("@")
        if where == "setup": die(how)
        yield where == "call" and how
        if where == "teardown": die(how)

    def at(place, nodeid):
        if "PYTEST_XDIST_WORKER" in os.environ and f"@{place}]" in nodeid:
            die("sigkill")

    def pytest_runtest_logstart(nodeid): at("logstart", nodeid)
    def pytest_runtest_logfinish(nodeid): at("logfinish", nodeid)
    def pytest_runtest_logreport(report): at(f"report-{report.when}", report.nodeid)
    def pytest_report_to_serializable(report):
        if report.when != "collect": at(f"serialise-{report.when}", report.nodeid)
"""

TESTS = """
    import pytest
    from conftest import die

    DOOMS = {dooms!r}

    @pytest.mark.parametrize("i", range(4))
    def test_before(i): pass

    class TestDying:
        @pytest.mark.parametrize("doom", DOOMS, indirect=True)
        def test_dies(self, doom):
            if doom: die(doom)

        @pytest.mark.parametrize("i", range(4))
        def test_beside(self, i): pass

    @pytest.mark.xdist_group("grouped")
    @pytest.mark.parametrize("doom", DOOMS[:2], indirect=True)
    def test_in_group(doom):
        if doom: die(doom)

    @pytest.mark.xdist_group("grouped")
    @pytest.mark.parametrize("i", range(4))
    def test_after(i): pass
"""


def write(arena: Arena, ways: dict[str, str], gaps: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """Write the project; returns what is to be said of each test that dies, and the tests that live."""
    arena.write("conftest.py", CONFTEST)
    arena.write("pytest.ini", "[pytest]\nmarkers = xdist_group\n")
    dying: dict[str, str] = {}
    living: list[str] = []
    for phase in PHASES:
        file = f"test_{phase}.py"
        dooms = {f"{way}@{phase}": f"{phase}: {said}" for way, said in ways.items()}
        _add(arena, file, dooms, dying, living)
    dooms = {f"-@{gap}": f"{GAPS[gap]}: {WAYS['sigkill']}" if GAPS[gap] else WAYS["sigkill"] for gap in gaps}
    if dooms:
        _add(arena, "test_gaps.py", dooms, dying, living)
    return dying, living


def _add(arena: Arena, file: str, dooms: dict[str, str], dying: dict[str, str], living: list[str]) -> None:
    arena.write(file, TESTS.format(dooms=list(dooms)))
    dying.update({f"{file}::TestDying::test_dies[{doom}]": said for doom, said in dooms.items()})
    dying.update({f"{file}::test_in_group[{doom}]": said for doom, said in list(dooms.items())[:2]})
    living += [
        f"{file}::{name}[{i}]" for i in range(4) for name in ("test_before", "TestDying::test_beside", "test_after")
    ]
