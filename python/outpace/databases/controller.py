"""The side that looks after the databases of a run: before its first test, and after its last.

A session without workers has this side and the workers' in one process.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

import pytest

from outpace.marks import settings_of

from . import clones, places, worker

ALONE = "master"  # as xdist's `worker_id` fixture says

addresses_key = pytest.StashKey["dict[str, str]"]()


def addresses(config: pytest.Config) -> dict[str, str]:
    """Of the tables that want clones; as they were before anything was rewritten. Raises ``pytest.UsageError``."""
    if addresses_key not in config.stash:
        databases = settings_of(config).databases
        config.stash[addresses_key] = {
            name: clones.address(each) for name, each in databases.items() if each.strategy == "clone"
        }
    return config.stash[addresses_key]


class Databases:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        cache = getattr(config, "cache", None)
        if cache is not None:  # it makes the folder as pytest has it; alone it is too early for that
            cache.mkdir(places.FOLDER)
        self.given: dict[str, Any] = {
            "run": secrets.token_hex(5),
            "folder": places.folder_of_clones(config),
            "cwd": os.getcwd(),
            "addresses": addresses(config),
        }
        self.clones = worker.clones_of(config, self.given)
        self._begun: list[clones.Clones] = []

    def of(self, worker_id: str) -> dict[str, Any]:
        """What a worker is given."""
        names = {name: (each.server.url.database, each.name_of(worker_id)) for name, each in self.clones.items()}
        return {**self.given, "environ": self.environ(worker_id), "names": names}

    def environ(self, worker_id: str) -> dict[str, str]:
        named = (each for each in self.clones.values() if each.database.url_env)
        return {each.database.url_env: each.address_of(each.name_of(worker_id)) for each in named}

    def pytest_testnodedown(self, node: Any) -> None:
        for each in self.clones.values():
            each.release(node.gateway.id)

    def begin(self) -> None:
        """Raises ``pytest.UsageError``."""
        for each in self.clones.values():
            each.begin()
            self._begun.append(each)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Workers are gone by now."""
        begun, self._begun = self._begun, []
        for each in (*begun, *(each for each in self.clones.values() if each not in begun and each.has_leases)):
            try:
                each.end()
            except pytest.UsageError as error:
                terminal = self.config.pluginmanager.getplugin("terminalreporter")
                if terminal is not None:
                    terminal.write_line(f"outpace: clones may be left, until the next run: {error}", yellow=True)


class Alone(Databases):
    """Without workers."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        self._before: dict[str, str | None] = {}

    def enter(self) -> None:
        """Before conftests are imported, if the addresses are known by then."""
        environ = self.environ(ALONE)
        if not self._before:
            self._before = {name: os.environ.get(name) for name in environ}
        os.environ.update(environ)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """An error ends the run here, before the first test."""
        if session.items:
            self.enter()
            self.begin()
            here = self.config.pluginmanager.getplugin(worker.NAME)
            for item in session.items:
                here.make_for(item)

    def pytest_unconfigure(self) -> None:
        super().pytest_unconfigure()
        restore(self._before)


def restore(environ: Mapping[str, str | None]) -> None:
    for name, value in environ.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
