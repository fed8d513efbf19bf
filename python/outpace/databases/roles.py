"""Which side this process has."""

from __future__ import annotations

import contextlib
import os

import pytest

from outpace.marks import settings_of

from . import worker
from .controller import Alone

_alone_key = pytest.StashKey[Alone]()


def enter_early(config: pytest.Config) -> None:
    """In a run without workers, before any code of the user's: what it reads of the environment is already its own."""
    known = config.known_args_namespace
    idle = ("help", "version", "collectonly", "showfixtures", "show_fixtures_per_test", "markers")
    if any(getattr(known, name, False) for name in idle) or "PYTEST_XDIST_WORKER" in os.environ:
        return
    with contextlib.suppress(pytest.UsageError):  # a conftest may yet say what is missing
        alone = config.stash[_alone_key] = Alone(config)
        alone.enter()


def take(config: pytest.Config) -> None:
    """At the start of a session."""
    manager = config.pluginmanager
    if manager.hasplugin("dsession"):
        return
    given = config.stash.get(worker.given_key, None)
    clones = worker.clones_of(config, given) if given is not None else {}
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        alone = config.stash.get(_alone_key, None) or Alone(config)
        manager.register(alone, "outpace-databases")
        clones = alone.clones
    manager.register(worker.OwnDatabases(config, clones), worker.NAME)
    if any(each.strategy == "transaction" for each in settings_of(config).databases.values()):
        from .engines import Transactions

        manager.register(Transactions(config), "outpace-transactions")
