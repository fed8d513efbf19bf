"""Fixtures of the tests of sandboxes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent / "contract", HERE.parent / "support"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import lab as labs  # noqa: E402


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "method" in metafunc.fixturenames:
        metafunc.parametrize("method", ("fork", "spawn"))


@pytest.fixture(params=("me", "ordinary"))
def lab(request: pytest.FixtureRequest) -> Iterator[labs.Lab]:
    """As this user, and as an ordinary one where that is another."""
    user = labs.ME
    if request.param == "ordinary":
        found = labs.ordinary()
        if isinstance(found, str):
            pytest.skip(found)
        if found is labs.ME:
            pytest.skip("this user is an ordinary one")
        user = found
    with _lab(user) as made:
        yield made


@pytest.fixture
def one_lab() -> Iterator[labs.Lab]:
    """Where who runs it makes no difference: an ordinary user, as most are, if there is one."""
    found = labs.ordinary()
    with _lab(labs.ME if isinstance(found, str) else found) as made:
        yield made


class _lab:
    def __init__(self, user: labs.User) -> None:
        why = labs.refusal(user)
        if why:
            pytest.skip(why)
        self._user = user
        self._folder = labs.open_folder()

    def __enter__(self) -> labs.Lab:
        return labs.Lab(self._user, self._folder.__enter__())

    def __exit__(self, *error: object) -> None:
        self._folder.__exit__(None, None, None)
