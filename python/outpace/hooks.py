"""Hooks that outpace adds to pytest."""

from __future__ import annotations

import pytest


@pytest.hookspec()
def pytest_outpace_worker_forked(config: pytest.Config) -> None:
    """Called in each forked worker before its first test, after outpace has put right what a fork breaks.

    For what outpace cannot know of: reopen a connection made while the tests were collected, choose a name made unique
    by process id. Not called in spawned workers, which need none of it.
    """
