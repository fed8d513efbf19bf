"""Read a junit file into comparable values and compare two of them.

Times, dates and the host name are left out. So is the order of test cases and properties: it is that of finishing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from xml.etree import ElementTree

from .model import Difference

_TOTALS = frozenset({"tests", "failures", "errors", "skipped"})
_VOLATILE_ATTRIBUTES = frozenset({"time", "timestamp", "hostname"})

Node = tuple[str, tuple[tuple[str, str], ...], str]  # tag, attributes, text


@dataclass(frozen=True)
class Junit:
    suites: tuple[Node, ...]  # what is outside the test cases
    cases: dict[str, list[tuple[Node, ...]]]  # "classname::name" -> its elements, one entry per test case

    @property
    def size(self) -> int:
        return sum(len(entries) for entries in self.cases.values())


def _node(element: ElementTree.Element, clean: Callable[[str], str]) -> Node:
    attributes = sorted((k, clean(v)) for k, v in element.attrib.items() if k not in _VOLATILE_ATTRIBUTES)
    return element.tag, tuple(attributes), clean(element.text or "")


def parse(text: str, clean: Callable[[str], str]) -> Junit:
    suites: list[Node] = []
    cases: dict[str, list[tuple[Node, ...]]] = {}

    def walk(element: ElementTree.Element) -> None:
        if element.tag == "testcase":
            name = f"{element.get('classname', '')}::{element.get('name', '')}"
            cases.setdefault(name, []).append(tuple(_node(child, clean) for child in element.iter()))
            return
        suites.append(_node(element, clean))
        for child in element:
            walk(child)

    walk(ElementTree.fromstring(text))
    return Junit(tuple(suites), cases)


def case_name(nodeid: str) -> str:
    """The name under which pytest's junit file holds a test: "classname::name"."""
    address, bracket, parameters = nodeid.partition("[")
    names = address.split("::")
    names[0] = names[0].replace("/", ".").removesuffix(".py")
    return f"{'.'.join(names[:-1])}::{names[-1]}{bracket}{parameters}"


def compare(
    first: Junit,
    second: Junit,
    *,
    other_outcome: Collection[str] = (),
    other_text: Collection[str] = (),
) -> list[Difference]:
    """What differs. A test whose *reports* already differ in outcome or in text (case names) differs here in the same
    way: that is one difference, and is not told twice.
    """
    found: list[Difference] = []
    for name in sorted(first.cases.keys() | second.cases.keys()):
        left, right = Counter(first.cases.get(name, ())), Counter(second.cases.get(name, ()))
        if left != right:
            outcome, difference = _case_difference(
                name, list((left - right).elements()), list((right - left).elements())
            )
            if name not in other_outcome and (outcome or name not in other_text):
                found.append(difference)
    left_suites, right_suites = (
        Counter(_without_totals(node) if other_outcome else node for node in junit.suites) for junit in (first, second)
    )
    if left_suites != right_suites:
        only_left, only_right = (
            sorted(map(str, counter)) for counter in (left_suites - right_suites, right_suites - left_suites)
        )
        said = f"junit outside the test cases: {only_left} != {only_right}"
        found.append(Difference("junit", said, said))
    return found


def _without_totals(node: Node) -> Node:
    tag, attributes, text = node
    return tag, tuple(item for item in attributes if item[0] not in _TOTALS), text


def _without_output(shape: list[list[str]]) -> list[list[str]]:
    return [[tag for tag in case if tag not in ("system-out", "system-err")] for case in shape]


def _case_difference(name: str, left: list[tuple[Node, ...]], right: list[tuple[Node, ...]]) -> tuple[bool, Difference]:
    """Whether the outcome differs (else only texts, outputs or attributes do), and the difference."""
    left_shape, right_shape = ([[node[0] for node in case] for case in side] for side in (left, right))
    if left_shape != right_shape:
        key = f"junit {name} elements {right_shape}"
        outcome = _without_output(left_shape) != _without_output(right_shape)
        return outcome, Difference("junit", key, f"junit {name}: {left_shape} != {right_shape}")
    lines = [
        f"    {tag}: {one!r:.1000}\n    {tag}: {two!r:.1000}"
        for case, other in zip(left, right, strict=True)
        for (tag, *one), (_, *two) in zip(case, other, strict=True)
        if one != two
    ]
    return False, Difference("junit", f"junit {name} text", "\n".join([f"junit {name}:", *lines]))
