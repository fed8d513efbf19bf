"""``--isolate-each``: tests in processes of their own. What it does is :mod:`outpace.worker.own_process`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection

    from .worker.session import WorkerSession


def add_options(parser: pytest.Parser, group: Any) -> None:
    help_text = "Run every test in a process of its own, forked from what was collected."
    group.addoption(
        "--isolate-each", dest="outpace_isolate_each", action="store_true", default=None, help=f"{help_text}"
    )
    parser.addini("outpace_isolate_each", help_text, type="bool", default=False)


def for_each(config: pytest.Config) -> bool:
    return bool(config.option.outpace_isolate_each or config.getini("outpace_isolate_each"))


def checked(worker: WorkerSession, isolated: Collection[int]) -> Collection[int]:
    """Raises ``pytest.UsageError`` where the process that collected may not be forked."""
    from .plugin import start_method
    from .worker.own_process import obstacle

    reason = obstacle(worker) if start_method(worker.config) != "fork" else None
    if reason is not None:
        asked_by = "--isolate-each" if for_each(worker.config) else "@pytest.mark.own_process"
        raise pytest.UsageError(
            f"outpace: {asked_by} needs a process that may be forked once the tests are collected: {reason}. "
            "Have that begin in a fixture, or fork all the same with --start-method=fork"
        )
    return isolated
