"""Hooks that outpace adds to pytest."""

from __future__ import annotations

import pytest


@pytest.hookspec()
def pytest_outpace_worker_forked(config: pytest.Config) -> None:
    """Called in each forked worker before its first test, after outpace has put right what a fork breaks.

    For what outpace cannot know of: reopen a connection made while the tests were collected, choose a name made unique
    by process id. Not called in spawned workers, which need none of it.
    """


@pytest.hookspec()
def pytest_outpace_prepare_database(config: pytest.Config, name: str, url: str) -> None:
    """Fill an empty database, of which each worker then gets a copy: ``[tool.outpace.databases.NAME]``, ``clone``.

    Called once a run, in the worker that comes first, after the table's ``prepare``; with ``fingerprint`` only when its
    files, or the one that this is written in, have changed.
    """
