"""The trading desk of the day: a module global that one test file fills and another one reads."""

from __future__ import annotations

limits: dict[str, int] = {}
