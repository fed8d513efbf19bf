"""``log_cli`` and ``log_file`` under ``-n``."""

from __future__ import annotations

from collections import Counter

import pytest
from project import Project

PYTEST = tuple(map(int, pytest.__version__.split(".")[:1]))
LOGS = """
    import logging
    import pytest

    log = logging.getLogger("shop")

    @pytest.fixture
    def till():
        log.info("open")
        yield
        log.info("closed")

    @pytest.mark.parametrize("number", range(10))
    def test_sell(till, number):
        log.warning("sold %d", number)
        log.debug("not shown")
"""


@pytest.mark.parametrize("capture", ["-s", "--capture=fd"])
def test_records_show_live(project: Project, method: str, capture: str) -> None:
    project.files(test_a=LOGS)
    run = project.run("-n2", method, "-o", "log_cli=true", "--log-cli-level=INFO", capture)
    assert run.ret == 0
    for number in range(10):
        mine = [line for line in run.lines if f" test_sell[{number}]] " in line]
        assert [line.split("] ", 1)[1].strip("- ") for line in mine] == [
            "live log setup",
            "INFO     shop:test_a.py:8 open",
            "live log call",
            f"WARNING  shop:test_a.py:14 sold {number}",
            "live log teardown",
            "INFO     shop:test_a.py:10 closed",
        ]
    run.no_match("*not shown*")


def test_no_live_log_unless_asked_for(project: Project) -> None:
    project.files(test_a=LOGS)
    project.run("-n2", "--log-level=INFO").no_match("*sold*")


def test_live_log_beside_captured_output(project: Project) -> None:
    project.files(
        test_a="""
        import logging
        def test_both():
            print("not shown live")
            logging.warning("shown live")
        def test_other(): pass
    """
    )
    run = project.run("-n2", "-o", "log_cli=true")
    run.match("*gw0 test_both] WARNING *shown live")
    run.no_match("*not shown live*")


@pytest.mark.parametrize(
    "mode", ["w", pytest.param("a", marks=pytest.mark.skipif(PYTEST < (8,), reason="pytest 7 has no such option"))]
)
def test_each_record_is_in_the_file_once(project: Project, method: str, mode: str) -> None:
    project.files(
        test_a=LOGS,
        conftest="""
        import logging
        def pytest_sessionstart(session):
            if not hasattr(session.config, "workerinput"):
                logging.warning("the controller begins")
        def pytest_sessionfinish(session):
            if not hasattr(session.config, "workerinput"):
                logging.warning("the controller ends")
    """,
    )
    project.write("log.txt", "from before\n")
    added = ["--log-file-mode=a"] if mode == "a" else []
    run = project.run("-n3", method, "--log-file=log.txt", "--log-file-level=INFO", *added)
    assert run.ret == 0
    messages = Counter(line.partition(" ")[2].split(" ", 1)[-1].rpartition("py:")[2] for line in lines(project))
    expected = Counter([f"14 sold {number}" for number in range(10)])
    expected.update({"8 open": 10, "10 closed": 10})
    found = Counter(line.split("py:", 1)[1] for line in lines(project) if "shop:" in line)
    assert found == expected, messages
    text = lines(project)
    assert ("from before" in text) == (mode == "a")
    begins = [line for line in text if "the controller" in line]
    assert [line.split()[-1] for line in begins] == ["begins", "ends"]
    assert text[-1] == begins[-1], "in the order in which it happened"


def lines(project: Project) -> list[str]:
    return (project.path / "log.txt").read_text().splitlines()
