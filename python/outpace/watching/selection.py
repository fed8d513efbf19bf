"""Which of the collected tests a run of ``outpace watch`` has, and in which order."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest


def file_of(item: pytest.Item) -> str:
    return item.nodeid.split("::", 1)[0]


def split(
    items: Sequence[pytest.Item], plan: Mapping[str, Any]
) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Those of the plan, the failed ones first, then by what they depend on, else in their order; and all others."""
    failed, changed, dependent = (frozenset(plan[name]) for name in ("failed", "changed", "dependent"))
    groups: tuple[list[pytest.Item], ...] = ([], [], [], [])
    others: list[pytest.Item] = []
    for item in items:
        nodeid, file = item.nodeid, file_of(item)
        if nodeid in failed or file in failed:
            groups[0].append(item)
        elif file in changed:
            groups[1].append(item)
        elif file in dependent:
            groups[2].append(item)
        elif plan["rest"]:
            groups[3].append(item)
        else:
            others.append(item)
    return [item for group in groups for item in group], others


class Wanted:
    """Files that cannot have a test of the plan are not looked at: neither they nor what they import cost anything."""

    def __init__(self, root: str, plan: Mapping[str, Any]) -> None:
        names = {nodeid.split("::", 1)[0] for name in ("failed", "changed", "dependent") for nodeid in plan[name]}
        self._files = {os.path.join(root, *name.split("/")) for name in names}
        self._folders = {str(parent) for file in self._files for parent in Path(file).parents}

    @pytest.hookimpl
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        path = str(collection_path)
        return None if path in self._files or path in self._folders else True
