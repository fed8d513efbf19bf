"""``[[tool.outpace.overrides]]``: what it applies to, and how mistakes are told."""

from __future__ import annotations

import pytest
from watched import Watched, alone, at_most

SUITE = """
    import time
    import pytest

    @pytest.fixture
    def database(): pass

    @pytest.mark.parametrize("n", range(3))
    def test_with_fixture(database, n): time.sleep(0.03)

    @pytest.mark.slow
    @pytest.mark.parametrize("n", range(3))
    def test_with_marker(n): time.sleep(0.03)

    @pytest.mark.parametrize("n", range(3))
    def test_plain(n): time.sleep(0.03)
"""
INI = '[tool.pytest.ini_options]\nmarkers = ["slow"]\n\n'


def overridden(watched: Watched, *overrides: str) -> Watched:
    text = "".join(f"[[tool.outpace.overrides]]\n{each}\n\n" for each in overrides)
    watched.write("pyproject.toml", INI + text)
    return watched.files(test_a=SUITE, test_b=SUITE)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("fixture(database)", "test_with_fixture"),
        ("marker(slow)", "test_with_marker"),
        ("test(*::test_plain*)", "test_plain"),
        ("test(/plain/) and not fixture(*base)", "test_plain"),
    ],
)
def test_tests_are_made_serial_by(watched: Watched, expression: str, name: str, method: str) -> None:
    overridden(watched, f'filter = "{expression}"\nserial = "because"')
    run = watched.run("-n3", "-vv", "--start-method", method)
    assert run.counts == {"passed": 18}
    alone(watched.named(name), watched.spans)
    run.match("outpace: 6 serial tests ran alone at the end", f"  test_a.py::{name}[[]0]: because")


@pytest.mark.parametrize("value", ['["db"]', '["db", {gpu = 1}]', "{db = 1}"])
def test_resources_are_attached(watched: Watched, value: str) -> None:
    overridden(watched, f'filter = "fixture(database) or marker(slow)"\nresources = {value}')
    assert watched.run("-n3").ret == 0
    at_most(1, watched.named("test_with"))


def test_the_first_one_counts_for_each_thing(watched: Watched) -> None:
    overridden(
        watched,
        'filter = "marker(slow)"\nresources = {gpu = 2}',
        'filter = "file(test_a.py)"\nserial = true',
        'filter = "file(*)"\nresources = {gpu = 3}',
    )
    with (watched.path / "pyproject.toml").open("a") as file:
        file.write("[tool.outpace.resources]\ngpu = 3\n")
    run = watched.run("-n3")
    assert run.ret == 0
    run.match("outpace: 9 serial tests ran alone at the end")
    at_most(1, watched.spans)


def test_one_that_says_not_serial_comes_before_later_ones(watched: Watched) -> None:
    overridden(watched, 'filter = "marker(slow)"\nserial = false', 'filter = "file(test_a.py)"\nserial = true')
    watched.run("-n2").match("outpace: 6 serial tests ran alone at the end")


def test_the_file_is_read_although_pytests_settings_are_elsewhere(watched: Watched) -> None:
    overridden(watched, 'filter = "marker(slow)"\nserial = true').ini("markers = slow")
    watched.run("-n2").match("outpace: 6 serial tests ran alone at the end")


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_one_that_matches_nothing_is_told(watched: Watched, workers: str) -> None:
    overridden(watched, 'filter = "test(test_pain*)"\nserial = true')
    run = watched.run(workers)
    assert run.ret == 0
    run.match("outpace: this override matches no test: pyproject.toml:5: test(test_pain[*])")
    watched.run(workers, "test_a.py").no_match("*matches no test*")
    watched.run(workers, "-k", "plain").no_match("*matches no test*")


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
@pytest.mark.parametrize(
    ("override", "place", "lines"),
    [
        (
            'serial = true\nfilter = "marker(slow) and fixtures(db)"',
            ":6:28: expected `test(...)`, `file(...)`, `fixture(...)`, `marker(...)`, `not` or `(`",
            ['  filter = "marker(slow) and fixtures(db)"', "                             ^"],
        ),
        ('filter = "marker(slow"', ":5:22: expected `)`", ['  filter = "marker(slow"', "                       ^"]),
        ('filter = "marker(slow) file(a)"', ":5:24: expected `and`, `or` or the end", []),
        ("filter = 'test(/[/)'", ":5:17: not a regular expression: unterminated character set", []),
        ('filter = ""', ":5:11: expected `test(...)`", []),
        ("filter = 7", ":5: `filter` must be a string", ["  filter = 7"]),
        ("serial = true", ":4: an override needs a `filter`", []),
        ('filter = "file(a)"\nseriell = true', ":6: unknown key `seriell`*known are `filter`, `serial`", []),
        ('filter = "file(a)"\nserial = 1', ":6: `serial` must be true, false or a reason", []),
        ('filter = "file(a)"\nresources = "db"', ':6: `resources` must be written as', []),
        ('filter = "file(a)"\nresources = {db = "x"}', ":6: resource `db`: 'x' is not an amount", []),
    ],
)
def test_a_mistake_is_told_with_its_line_before_anything_runs(
    watched: Watched, workers: str, override: str, place: str, lines: list[str]
) -> None:
    run = overridden(watched, override).run(workers)
    assert run.ret == 4
    pattern = place.replace("[", "[[]")
    pytest.LineMatcher(run.err.splitlines()).fnmatch_lines([f"ERROR: */pyproject.toml{pattern}*"])
    for line in lines:
        assert line in run.err.splitlines()
    assert "Traceback" not in run.err and not (watched.path / "notes").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.outpace.resources]\ndb = 0\n", ":2: resource `db`: 0 is not an amount"),
        ("[tool.outpace.resources]\na = 1\nGPU = []\n", ":3: the values of resource `GPU` must be strings"),
        ("[tool.outpace.resources]\nGPU = [0, 1]\n", ":2: the values of resource `GPU` must be strings"),
        ("[tool.outpace]\nresource = {db = 1}\n", ":2: unknown key `resource` in *; known are `resources`, *"),
        ("[tool.outpace.overrides]\nfilter = 'file(a)'\n", ":1: `overrides` must be written as"),
        ("[tool.outpace\n", ": Expected*line 1"),
    ],
)
def test_mistakes_outside_of_overrides(watched: Watched, text: str, message: str) -> None:
    watched.files(test_a=SUITE).ini("markers = slow")
    watched.write("pyproject.toml", text)
    run = watched.run("-n2")
    assert run.ret == 4
    pytest.LineMatcher(run.err.splitlines()).fnmatch_lines([f"ERROR: */pyproject.toml{message}*"])
