"""A project whose tests and fixtures note when they were alive, in one file, and what must be true of these notes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from project import Project

CONFTEST = """
    import os, time
    from contextlib import contextmanager
    import pytest

    def note(*words):
        with open("notes", "a") as file:
            file.write("\\t".join(map(str, words)) + "\\n")

    @contextmanager
    def alive(name):
        begin = time.monotonic()
        note("begin", name, begin)
        yield
        value = os.environ.get("GPU", "")
        note("end", name, begin, time.monotonic(), os.environ.get("PYTEST_XDIST_WORKER", ""), value)

    @pytest.fixture(autouse=True)
    def _watched(request):
        with alive(request.node.name):
            yield
"""


class Span(NamedTuple):
    name: str
    begin: float
    end: float
    worker: str
    value: str

    def meets(self, other: Span) -> bool:
        return self.begin < other.end and other.begin < self.end


class Watched(Project):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.write("conftest.py", CONFTEST)

    @property
    def begun(self) -> list[str]:
        return [words[1] for words in self._notes() if words[0] == "begin"]

    @property
    def spans(self) -> list[Span]:
        """What came to its end, by its begin."""
        ended = (words for words in self._notes() if words[0] == "end")
        spans = [Span(name, float(begin), float(end), worker, value) for _, name, begin, end, worker, value in ended]
        return sorted(spans, key=lambda span: span.begin)

    def named(self, start: str) -> list[Span]:
        return [span for span in self.spans if span.name.startswith(start)]

    def _notes(self) -> list[list[str]]:
        return [line.split("\t") for line in (self.path / "notes").read_text().splitlines()]


def alone(spans: list[Span], everything: list[Span]) -> None:
    """Nothing was alive beside any of the spans, but what its own worker kept alive around it."""
    for span in spans:
        assert [other for other in everything if other.worker != span.worker and other.meets(span)] == []


def at_most(count: int, spans: list[Span]) -> None:
    """Never more of these at a time."""
    for span in spans:
        assert sum(other.begin <= span.begin < other.end for other in spans) <= count, spans


def each_once(spans: list[Span], times: int = 1) -> None:
    assert set(Counter(span.name for span in spans).values()) == {times}
