"""A suite of 1,000 tests of which 20 hang, in every way: it ends, names all 20 with their lines, and loses nothing."""

from __future__ import annotations

from itertools import cycle, islice
from xml.etree import ElementTree

from faults.arena import Arena

from .ways import IMPORTS, WAYS, line_of

FILES, TESTS, HANGING = 20, 50, 20
THREAD = """
def test_leaves_a_thread():
    def wait():
        time.sleep(600)  # hangs here
    threading.Thread(target=wait).start()
"""


def test_twenty_of_a_thousand(arena: Arena) -> None:
    hanging: dict[str, tuple[str, int, str, bool]] = {}
    collection: list[str] = []
    for number, name in enumerate(islice(cycle(WAYS), HANGING - 1)):
        file, way, test = f"test_{number}.py", WAYS[name], f"{name}_{number}"
        source = IMPORTS + way.text(test)
        nodeid = f"{file}::Test{test}::test_{test}" if name == "unittest" else f"{file}::test_{test}"
        hanging[nodeid] = (file, line_of(source), way.phase, name == "blocked")
        source += "".join(f"def test_plain_{plain}(): pass\n" for plain in range(TESTS - 1))
        collection += [nodeid, *(f"{file}::test_plain_{plain}" for plain in range(TESTS - 1))]
        arena.write(file, source)
    last = f"test_{HANGING - 1}.py"
    source = IMPORTS + THREAD + "".join(f"def test_plain_{plain}(): pass\n" for plain in range(TESTS - 1))
    arena.write(last, source)
    collection += [f"{last}::test_leaves_a_thread", *(f"{last}::test_plain_{plain}" for plain in range(TESTS - 1))]
    assert len(collection) == FILES * TESTS

    args = ("--slow-timeout=2", "--test-timeout=1", "--timeout-grace=1", "--max-worker-restart=0")
    run = arena.start("-n2", "--junitxml=../junit.xml", *args).end(120)

    assert run.code == 1, run.output
    run.assert_accounted(collection)
    assert run.not_run == 0 and not run.interrupted
    failed = {report["nodeid"]: report for report in run.reports if report["outcome"] == "failed"}
    assert failed.keys() == hanging.keys()
    for nodeid, (file, line, phase, blind) in hanging.items():
        text = failed[nodeid]["longrepr"]
        assert f"Timeout: the test took longer than 1 s ({phase})" in text
        assert blind or f'File "{file}", line {line}, in ' in text, text
    run.assert_says("hung while exiting for", f"at {last}:{line_of(source)} in wait")
    junit = ElementTree.parse(arena.folder.parent / "junit.xml").getroot()
    assert sum(element.tag in ("failure", "error") for element in junit.iter()) == HANGING - 1
    run.assert_clean()
