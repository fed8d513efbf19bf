"""Filters: which tests an override is for. ``docs/filters.md`` is the language on one page.

    expression = term { "or" term }
    term       = factor { "and" factor }
    factor     = "not" factor | "(" expression ")" | name "(" matcher ")"
    name       = "test" | "file" | "fixture" | "marker"
    matcher    = a glob, or a regular expression between slashes

A hand-written recursive descent. It knows what a test is only through :class:`Subject`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Matcher = Callable[[str], bool]

_WORD = re.compile(r"\s*([A-Za-z_]+)")
_NAMES = ("test", "file", "fixture", "marker")


class FilterError(Exception):
    """Not a filter; ``column`` counts from 0 in the text."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class Subject:
    """A test as filters see it."""

    nodeid: str
    fixtures: Iterable[str] = ()
    markers: Iterable[str] = ()

    @property
    def file(self) -> str:
        return self.nodeid.split("::", 1)[0]


@dataclass(frozen=True)
class Filter:
    """What ``parse`` understood."""

    text: str
    matches: Callable[[Subject], bool]
    fixtures: tuple[Matcher, ...]
    """The fixtures that it asks for, not those that it excludes."""


def parse(text: str) -> Filter:
    parser = _Parser(text)
    return Filter(text, parser.whole(), tuple(parser.fixtures))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.fixtures: list[Matcher] = []
        self._negations = 0

    def whole(self) -> Callable[[Subject], bool]:
        matches = self._expression()
        self._skip()
        if self.at < len(self.text):
            raise self._error("expected `and`, `or` or the end")
        return matches

    def _expression(self) -> Callable[[Subject], bool]:
        terms = [self._term()]
        while self._keyword("or"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else lambda subject: any(term(subject) for term in terms)

    def _term(self) -> Callable[[Subject], bool]:
        factors = [self._factor()]
        while self._keyword("and"):
            factors.append(self._factor())
        return factors[0] if len(factors) == 1 else lambda subject: all(factor(subject) for factor in factors)

    def _factor(self) -> Callable[[Subject], bool]:
        if self._keyword("not"):
            self._negations += 1
            inner = self._factor()
            self._negations -= 1
            return lambda subject: not inner(subject)
        self._skip()
        if self._next("("):
            inner = self._expression()
            self._skip()
            if not self._next(")"):
                raise self._error("expected `)`")
            return inner
        return self._predicate()

    def _predicate(self) -> Callable[[Subject], bool]:
        start = self.at
        word = _WORD.match(self.text, self.at)
        name = word.group(1) if word else ""
        if name not in _NAMES:
            listed = ", ".join(f"`{each}(...)`" for each in _NAMES)
            raise FilterError(f"expected {listed}, `not` or `(`", start)
        assert word is not None
        self.at = word.end()
        self._skip()
        if not self._next("("):
            raise self._error(f"expected `(` after `{name}`")
        matches = self._matcher()
        if name == "test":
            return lambda subject: matches(subject.nodeid)
        if name == "file":
            return lambda subject: matches(subject.file)
        if name == "fixture":
            if self._negations % 2 == 0:
                self.fixtures.append(matches)
            return lambda subject: any(map(matches, subject.fixtures))
        return lambda subject: any(map(matches, subject.markers))

    def _matcher(self) -> Matcher:
        self._skip()
        return self._regex() if self._next("/") else self._glob()

    def _regex(self) -> Matcher:
        start = self.at
        pattern = self._until("/", "expected `/` at the end of the regular expression")
        self._skip()
        if not self._next(")"):
            raise self._error("expected `)`")
        try:
            found = re.compile(pattern.replace("\\/", "/")).search
        except re.error as error:
            raise FilterError(f"not a regular expression: {error.msg}", start + (error.pos or 0)) from None
        return lambda name: found(name) is not None

    def _glob(self) -> Matcher:
        start = self.at
        pattern = self._until(")", "expected `)`").strip()
        if not pattern:
            raise FilterError("expected a pattern", start)
        expression, escaped = "", False
        for character in pattern:
            if character == "\\" and not escaped:
                escaped = True
                continue
            wild = {"*": ".*", "?": "."}.get(character) if not escaped else None
            expression += wild or re.escape(character)
            escaped = False
        found = re.compile(expression, re.DOTALL).fullmatch
        return lambda name: found(name) is not None

    def _until(self, end: str, otherwise: str) -> str:
        """The text before ``end``, which is passed over; after a backslash any character counts as text."""
        start = self.at
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == end:
                self.at += 1
                return self.text[start : self.at - 1]
            self.at += 2 if character == "\\" else 1
        self.at = len(self.text)
        raise self._error(otherwise)

    def _keyword(self, keyword: str) -> bool:
        word = _WORD.match(self.text, self.at)
        if word is None or word.group(1) != keyword:
            return False
        self.at = word.end()
        return True

    def _next(self, character: str) -> bool:
        if self.text.startswith(character, self.at):
            self.at += 1
            return True
        return False

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _error(self, message: str) -> FilterError:
        return FilterError(message, min(self.at, len(self.text)))
