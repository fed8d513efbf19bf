"""Bridge to ``tests/support/outcomes.py``: load its comparing half and turn its lines into :class:`Difference` values.

The comparison itself stays there, shared with the project's other differential tests.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from .model import Difference, ParityError

RECORDER = Path(__file__).resolve().parents[3] / "tests" / "support" / "outcomes.py"

_FIELD = re.compile(r"(?P<nodeid>.+) \[(?P<when>\w+)\] (?P<field>\w+):\n", re.S)
_ONLY = re.compile(r"(?P<nodeid>.+): reported only by the (?P<which>first|second) run", re.S)
_PHASES = re.compile(r"(?P<nodeid>.+): (?P<left>\[\(.*\)\]) != (?P<right>\[\(.*\)\])", re.S)
_WARNING = re.compile(r"warning (?P<what>missing|added) in the second run \(\d+x\): (?P<text>.*)", re.S)
_EXIT = re.compile(r"exit status (?P<left>\S+) != (?P<right>\S+)")


def load_outcomes() -> ModuleType:
    """The shared module. Its plugin half imports pytest, which the interpreter of this tool need not have."""
    if importlib.util.find_spec("pytest") is None:
        stub = ModuleType("pytest")
        vars(stub)["hookimpl"] = lambda **_options: lambda function: function
        sys.modules["pytest"] = stub
    spec = importlib.util.spec_from_file_location("outcomes", RECORDER)
    if spec is None or spec.loader is None:
        raise ParityError(f"cannot load {RECORDER}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record_differences(first: dict[str, Any], second: dict[str, Any], outcomes: ModuleType) -> list[Difference]:
    """What ``outcomes.differences`` says, structured."""
    known = {outcomes.normalise(json.dumps(warning)) for warning in first["warnings"]}
    return [_parse(line, known) for line in outcomes.differences(first, second)]


def _parse(line: str, known_warnings: set[str]) -> Difference:
    if match := _FIELD.match(line):
        nodeid, field = match["nodeid"], match["field"]
        return Difference(field, f"{nodeid} [{match['when']}] {field}", line, nodeid)
    if match := _ONLY.fullmatch(line):
        kind = "test missing" if match["which"] == "first" else "test added"
        return Difference(kind, f"{match['nodeid']} {kind}", line, match["nodeid"])
    if match := _PHASES.fullmatch(line):
        return Difference("phases", f"{match['nodeid']} phases {match['right']}", line, match["nodeid"])
    return _parse_about_the_run(line, known_warnings)


def _parse_about_the_run(line: str, known_warnings: set[str]) -> Difference:
    if match := _WARNING.fullmatch(line):
        kind = f"warning {match['what']}"
        if match["what"] == "added" and match["text"] in known_warnings:
            kind = "warning repeated"
        return Difference(kind, f"{kind} {match['text']}", line)
    if match := _EXIT.fullmatch(line):
        return Difference("exit status", f"exit status {match['right']}", line)
    if line.startswith("collect reports: "):
        return Difference("collect reports", "collect reports", line)
    return Difference("other", line, line)
