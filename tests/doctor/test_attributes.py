"""What a test leaves changed in modules and classes is seen, whether CPython tells of writes or all is looked at."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outpace.recording import attributes, versions
from outpace.recording.places import Project

SOURCE = """
count = 0
table = {"a": [1]}
def function(): pass
class Kind:
    size = 1
    members = []
    def method(self): pass
instance = Kind()
instance.own = 1
def raise_count():
    global count
    count += 1
"""


def _put_back(module: Any) -> None:
    module.count += 1
    module.count -= 1


CHANGES: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "nothing": (lambda module: module.function(), []),
    "put back": (_put_back, []),
    "a global, by its own code": (lambda module: module.raise_count(), ["count"]),
    "a global, from outside": (lambda module: setattr(module, "count", 7), ["count"]),
    "a new one": (lambda module: setattr(module, "fresh", 1), ["fresh"]),
    "one that is gone": (lambda module: delattr(module, "function"), ["function"]),
    "a function in place of another": (lambda module: setattr(module, "function", lambda: 0), ["function"]),
    "through the dict": (lambda module: vars(module).update(count=9), ["count"]),
    "of a class": (lambda module: setattr(module.Kind, "size", 2), ["Kind.size"]),
    "a method": (lambda module: setattr(module.Kind, "method", lambda self: 0), ["Kind.method"]),
    "in a list of a class": (lambda module: module.Kind.members.append(1), ["Kind.members"]),
    "in a dict": (lambda module: module.table.update(b=1), ["table"]),
    "two levels down": (lambda module: module.table["a"].append(2), ["table"]),
    "of an instance": (lambda module: setattr(module.instance, "own", 2), ["instance"]),
}


@pytest.fixture(params=["told", "looked at"])
def watched(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of a project, and what changes in it."""
    if request.param == "looked at":
        monkeypatch.setattr(attributes, "_versions", lambda: None)
    elif versions.find() is None:
        pytest.skip("this interpreter does not tell")
    (tmp_path / "watched_module.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    import watched_module

    found = attributes.Attributes(Project([str(tmp_path)]))
    found.look()
    found.changes()
    yield watched_module, found
    del sys.modules["watched_module"]


@pytest.mark.parametrize("how", CHANGES)
def test_what_has_changed_is_named_once(watched: Any, how: str) -> None:
    module, found = watched
    change, expected = CHANGES[how]
    for _ in range(2):
        assert found.changes() == []
    change(module)
    assert found.changes() == [("attribute", f"watched_module.{name}") for name in expected]
    assert found.changes() == []
    # What came into its place is watched as well.
    module.count = module.Kind.size = 99
    assert found.changes() == [("attribute", "watched_module.count"), ("attribute", "watched_module.Kind.size")]


def test_cpython_tells_on_every_version_that_it_is_known_of() -> None:
    if sys.implementation.name == "cpython" and sys.version_info < (3, 15):
        assert versions.find() is not None
