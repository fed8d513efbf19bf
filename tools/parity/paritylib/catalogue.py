"""Read ``suites.toml`` and ``constraints.txt`` into values, and refuse anything the tool would not understand.

Unknown keys are errors: a misspelt ``deselect`` must not silently run (or skip) something else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .model import ParityError, Rule, Suite

_KEYS = {
    "name", "version", "source", "sha256", "part", "requirements", "args", "deselect", "normalise", "fast", "timeout",
    "unsafe_to_fork",
}  # fmt: skip
_REQUIRED = ("name", "version", "source")
_DEFAULT_TIMEOUT = 600.0


@dataclass(frozen=True)
class Catalogue:
    common: tuple[str, ...]  # requirements of every suite: pytest and xdist
    suites: tuple[Suite, ...]
    constraints: Mapping[str, str]  # normalised name -> exact version

    def select(self, names: Iterable[str], *, fast: bool) -> tuple[Suite, ...]:
        wanted = list(names)
        unknown = sorted(set(wanted) - {suite.name for suite in self.suites})
        if unknown:
            known = ", ".join(suite.name for suite in self.suites)
            raise ParityError(f"unknown suite {', '.join(unknown)}; known: {known}")
        return tuple(s for s in self.suites if (s.name in wanted if wanted else s.fast or not fast))


def normalised_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_pins(text: str) -> dict[str, str]:
    """``name==version`` lines (comments allowed) as a mapping."""
    pins: dict[str, str] = {}
    for line in text.splitlines():
        requirement = line.split("#", 1)[0].strip()
        if requirement:
            name, separator, version = requirement.partition("==")
            if not separator or not version:
                raise ParityError(f"not an exact pin: {requirement!r}")
            pins[normalised_name(name)] = version
    return pins


def parse_suite(entry: Mapping[str, Any]) -> Suite:
    name = entry.get("name", "?")
    if unknown := sorted(set(entry) - _KEYS):
        raise ParityError(f"suite {name}: unknown key {', '.join(unknown)}")
    if missing := [key for key in _REQUIRED if not entry.get(key)]:
        raise ParityError(f"suite {name}: missing {', '.join(missing)}")
    source = entry["source"]
    if source not in ("sdist", "installed"):
        raise ParityError(f"suite {name}: source must be 'sdist' or 'installed', not {source!r}")
    if source == "sdist" and not re.fullmatch(r"[0-9a-f]{64}", entry.get("sha256", "")):
        raise ParityError(f"suite {name}: an sdist needs its sha256")
    for item in entry.get("deselect", ()):
        if set(item) != {"id", "reason"} or not item["reason"]:
            raise ParityError(f"suite {name}: a deselect needs exactly an id and a reason: {item}")
    for item in entry.get("normalise", ()):
        if set(item) != {"pattern", "replacement", "reason"} or not item["reason"]:
            raise ParityError(f"suite {name}: a rule needs exactly a pattern, a replacement and a reason: {item}")
    return Suite(
        name=name,
        version=entry["version"],
        source=source,
        sha256=entry.get("sha256", ""),
        requirements=tuple(entry.get("requirements", ())),
        args=tuple(entry.get("args", ())),
        deselect=tuple(item["id"] for item in entry.get("deselect", ())),
        rules=tuple(Rule(i["pattern"], i["replacement"], i["reason"]) for i in entry.get("normalise", ())),
        fast=bool(entry.get("fast", False)),
        timeout=float(entry.get("timeout", _DEFAULT_TIMEOUT)),
        unsafe_to_fork=str(entry.get("unsafe_to_fork", "")),
    )


def load(folder: Path) -> Catalogue:
    """The list beside the tool: ``suites.toml`` and ``constraints.txt`` in ``folder``."""
    data = tomllib.loads((folder / "suites.toml").read_text(encoding="utf-8"))
    if unknown := sorted(set(data) - {"common", "suite"}):
        raise ParityError(f"suites.toml: unknown table {', '.join(unknown)}")
    suites = tuple(parse_suite(entry) for entry in data["suite"])
    names = [suite.name for suite in suites]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ParityError(f"suites.toml: listed twice: {', '.join(twice)}")
    constraints = parse_pins((folder / "constraints.txt").read_text(encoding="utf-8"))
    return Catalogue(tuple(data["common"]["requirements"]), suites, constraints)
