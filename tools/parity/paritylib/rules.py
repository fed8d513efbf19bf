"""The text which may differ between two runs although nothing is wrong, each rule with its reason.

These come on top of the rules of ``tests/support/outcomes.py`` (addresses, base temp folders, worker names, durations).
A rule belongs here only if it holds for every suite; what one suite prints is a ``normalise`` entry in
``suites.toml``. A rule must match no more than the text which its reason names: what it matches is never compared.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from .model import Rule

COMMON = (
    Rule(r"/[^\s'\"]*/tmp[a-z0-9_]{8}\b", "<tempfile>", "names made by Python's tempfile module are random"),
    Rule(
        r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\b",
        "<time>",
        "the logging module's default format begins with the time",
    ),
    Rule(r"\bport=\d{4,5}\b|\b(?:127\.0\.0\.1|localhost|\[::1\]):\d{4,5}\b", "<port>", "the system picks free ports"),
)


def cleaner(folder: str, rules: Iterable[Rule]) -> Callable[[str], str]:
    """A function which takes out of a text what may differ; ``folder`` is the run's own folder."""
    own, beside = re.escape(folder), re.escape(os.path.dirname(folder))
    substitutions = [
        (re.compile(beside + r"/t\b(?:/popen-gw\d+)?"), "<basetemp>"),  # each worker has its own
        (re.compile(own), "<run>"),  # each run has its own folder for its cache and its reports
        *((re.compile(rule.pattern), rule.replacement) for rule in rules),
    ]

    def clean(text: str) -> str:
        for pattern, replacement in substitutions:
            text = pattern.sub(replacement, text)
        return text

    return clean


def clean_strings(value: Any, clean: Callable[[str], str]) -> Any:
    """The same JSON value with every string cleaned, but for node ids: two tests must not become one."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_strings(item, clean) for item in value]
    if isinstance(value, dict):
        return {k: item if k == "nodeid" else clean_strings(item, clean) for k, item in value.items()}
    return value
