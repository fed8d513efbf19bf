"""Reports that nobody looks at are not shown to everybody; nobody can tell."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from project import ENGINE, Project

pytestmark = pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own")

TESTS = """
    import pytest, warnings
    @pytest.fixture
    def noisy():
        print("set up")
        yield
        print("torn down")
    @pytest.fixture
    def broken_end():
        yield
        assert False, "teardown"
    @pytest.mark.parametrize("n", range(12))
    def test_pass(n): pass
    def test_noisy(noisy): pass
    def test_property(record_property): record_property("a", 1)
    def test_fail(noisy): assert 0
    def test_end(broken_end): pass
    def test_skip(): pytest.skip("why")
    @pytest.mark.xfail
    def test_xfail(): assert 0
    @pytest.mark.xfail
    def test_xpass(): pass
    def test_warns(): warnings.warn("careful")
"""
# Counts what the terminal has, which any plugin may read at the end; it listens to no report.
COUNTS = """
    def pytest_terminal_summary(terminalreporter):
        if hasattr(terminalreporter.config, "workerinput"): return
        for category, reports in sorted(terminalreporter.stats.items()):
            for report in sorted(reports, key=lambda each: (getattr(each, "nodeid", ""), getattr(each, "when", ""))):
                facts = sorted(set(vars(report)) - {"message"})
                print("STAT", repr(category), getattr(report, "nodeid", ""), getattr(report, "when", ""), facts)
"""
LISTENER = """
    seen = []
    def pytest_runtest_logreport(report): seen.append(report.when)
    def pytest_runtest_logstart(nodeid): seen.append("start")
    def pytest_sessionfinish(session):
        if not hasattr(session.config, "workerinput"):
            with open("seen.txt", "w") as file:
                print(*(seen.count(name) for name in ("start", "setup", "call", "teardown")), file=file)
"""


def shown(text: str) -> list[str]:
    """What was printed, in any order and without what differs between two runs: workers, times, percentages, dots."""
    kept = []
    for line in text.splitlines():
        plain = re.sub(r"gw\d|\d+\.\d+s|\[ *\d+%\]|0x[0-9a-f]+|/test_\w+\d/", "", line)
        if plain.strip() and not re.fullmatch(r"[.FEsxXP ]+", plain):
            kept.append(plain)
    return sorted(kept)


@pytest.mark.parametrize("options", [(), ("-v",), ("-q",), ("-rA",), ("--durations=0", "-vv")], ids=" ".join)
def test_what_is_shown_is_the_same_whether_or_not_somebody_listens(project: Project, options: tuple[str, ...]) -> None:
    project.files(test_a=TESTS, conftest=COUNTS, listener=LISTENER)
    alone = project.run("-n2", *options)
    heard = project.run("-n2", *options, "-p", "listener")
    assert (project.path / "seen.txt").read_text() == "20 20 20 20\n"
    assert shown(alone.out) == shown(heard.out)
    assert alone.ret == heard.ret == 1


def test_every_plugin_that_listens_hears_everything(project: Project) -> None:
    """Also one that begins to in the middle of the run."""
    project.files(
        test_a="""
            import pytest
            @pytest.mark.parametrize("n", range(300))
            def test_pass(n): pass
        """,
        conftest="""
            class Late:
                heard = []
                def pytest_runtest_logreport(self, report): self.heard.append(report.when)
            def pytest_runtest_logfinish():
                import sys
                config = sys.modules["conftest"].config
                if not hasattr(config, "workerinput") and not config.pluginmanager.hasplugin("late"):
                    config.pluginmanager.register(Late(), "late")
            def pytest_configure(config):
                import sys
                sys.modules["conftest"].config = config
            def pytest_sessionfinish(session):
                if not hasattr(session.config, "workerinput"):
                    print("HEARD", {name: Late.heard.count(name) for name in ("setup", "call", "teardown")})
        """,
    )
    run = project.run("-n1")
    assert run.ret == 0, run.out
    assert "HEARD {'setup': 299, 'call': 299, 'teardown': 299}" in run.out, run.out


def test_the_junit_file_has_the_times_of_all_phases(project: Project) -> None:
    project.files(
        test_a="""
            import time, pytest
            @pytest.fixture
            def slow():
                time.sleep(0.2)
                yield
                time.sleep(0.2)
            @pytest.mark.parametrize("n", range(3))
            def test_pass(slow, n): pass
        """
    )
    assert project.run("-n1", "--junitxml=out.xml").ret == 0
    cases = ElementTree.parse(project.path / "out.xml").getroot().iter("testcase")
    assert [float(case.get("time", "0")) >= 0.4 for case in cases] == [True] * 3
