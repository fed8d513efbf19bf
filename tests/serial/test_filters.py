"""The filter language by itself, and amounts."""

from __future__ import annotations

from pathlib import Path

import pytest
from outpace import amounts
from outpace.filters import FilterError, Subject, parse

LOGIN = Subject("tests/api/test_login.py::TestForm::test_empty[a b]", ("client", "db_session"), ("slow", "django_db"))


@pytest.mark.parametrize(
    "text",
    [
        "test(*test_empty*)",
        "test(tests/api/test_login.py::TestForm::test_empty[a b])",
        "test(*[a?b])",
        "test(/::test_(empty|full)/)",
        "test( /login\\.py::/ )",
        "test(/api\\/test_/)",
        "file(tests/api/*)",
        "file(/^tests.api/)",
        "fixture(db_*)",
        "marker(slow)",
        "not marker(fast)",
        "not not marker(slow)",
        "marker(slow) and fixture(client)",
        "marker(fast) or fixture(client)",
        "marker(fast) and marker(fast) or marker(slow)",
        "marker(slow) or marker(fast) and marker(fast)",
        "not (marker(fast) or fixture(nothing))",
        "not marker(fast) and marker(slow)",
        "  marker ( slow )\n  and file( *.py )  ",
    ],
)
def test_matches(text: str) -> None:
    assert parse(text).matches(LOGIN)


@pytest.mark.parametrize(
    "text",
    [
        "test(test_empty)",
        "test(tests/api)",
        "file(tests)",
        "fixture(db)",
        "marker(slo)",
        "(marker(slow) or marker(fast)) and marker(fast)",
        "not marker(slow) or marker(fast)",
        "test(\\*test_empty\\*)",
    ],
)
def test_does_not_match(text: str) -> None:
    assert not parse(text).matches(LOGIN)


def test_a_backslash_takes_the_meaning_from_a_character() -> None:
    assert parse("test(*f\\(1\\)*)").matches(Subject("a.py::test[f(1)]"))
    assert parse("test(a\\*b)").matches(Subject("a*b"))


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 0),
        ("slow", 0),
        ("marker", 6),
        ("marker()", 7),
        ("marker(a", 8),
        ("marker(a))", 9),
        ("marker(a) marker(b)", 10),
        ("marker(a) and", 13),
        ("(marker(a)", 10),
        ("not", 3),
        ("test(/a)", 8),
        ("test(/a/ b)", 9),
        ("test(/(/)", 6),
        ("MARKER(a)", 0),
    ],
)
def test_what_is_no_filter_says_where(text: str, column: int) -> None:
    with pytest.raises(FilterError) as raised:
        parse(text)
    assert raised.value.column == column, raised.value


def test_only_fixtures_that_are_asked_for_are_known_as_such() -> None:
    wanted = parse("fixture(a) and not fixture(b) and not (marker(x) or not fixture(c))").fixtures
    assert [[name for name in "abc" if matches(name)] for matches in wanted] == [["a"], ["c"]]


@pytest.mark.parametrize(
    ("value", "amount"),
    [(1, 1), (7, 7), ("3", 3), ("4B", 4), ("4GB", 4 * 10**9), ("1.5 GiB", 3 * 2**29), ("2mib", 2**21), ("5kb", 5000)],
)
def test_amounts(value: object, amount: int) -> None:
    assert amounts.parse(value) == amount


@pytest.mark.parametrize("value", [0, -1, True, None, 1.5, "", "GB", "1TB", "1 2", "-1", "0.1B", 2**64])
def test_what_is_no_amount(value: object) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        amounts.parse(value)


def test_the_memory_of_a_control_group_is_the_least_of_its_parents(tmp_path: Path) -> None:
    assert amounts.memory() > 0
    for name, text in {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/memory.max": "3000\n",
        "sys/fs/cgroup/a/b/memory.max": "max\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert amounts.memory(tmp_path) == 3000
