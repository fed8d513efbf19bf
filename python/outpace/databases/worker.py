"""The side of a process that runs tests: it makes its clones when they are first needed, and knows their addresses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

from outpace.marks import settings_of, subject_of

from . import clones

NAME = "outpace-own-databases"

given_key = pytest.StashKey["dict[str, Any]"]()


def clones_of(config: pytest.Config, given: Mapping[str, Any]) -> dict[str, clones.Clones]:
    databases = settings_of(config).databases
    place = clones.Place(given["run"], given["folder"], given["cwd"], str(config.rootpath))
    hook = clones.hook_of(config)
    return {name: clones.Clones(databases[name], text, place, hook) for name, text in given["addresses"].items()}


class OwnDatabases:
    """``worker`` says who this is: a fork knows only then. ``made`` is empty where this run makes no clones."""

    def __init__(self, config: pytest.Config, made: Mapping[str, clones.Clones]) -> None:
        self.config = config
        self.databases = settings_of(config).databases
        self.clones = dict(made)
        self._pending = dict(self.clones)
        self._failed: dict[str, pytest.UsageError] = {}

    @property
    def worker(self) -> str:
        workerinput: dict[str, Any] | None = getattr(self.config, "workerinput", None)
        return "master" if workerinput is None else str(workerinput["workerid"])

    def _name(self, name: str) -> str:
        """What the controller has chosen; where there is none, this process has."""
        given = self.config.stash.get(given_key, None)
        return str(given["names"][name][1]) if given is not None else self.clones[name].name_of(self.worker)

    def _address(self, name: str) -> str:
        return self.clones[name].address_of(self._name(name))

    def url(self, name: str) -> str:
        """Where there is no clone, the address as it is. Raises ``pytest.UsageError``."""
        if name in self.clones:
            self._make(name)
            return self._address(name)
        database = self.databases[name]
        if database.strategy == "clone":
            raise pytest.UsageError(f"{database.place}: there are clones in runs of outpace only; this one is xdist's")
        return clones.address(database)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if self._pending:
            self.make_for(item)

    def make_for(self, item: pytest.Item) -> None:
        """What this test uses."""
        for name, each in list(self._pending.items()):
            wanted = each.database.filter
            if wanted is None or wanted.matches(subject_of(item)):
                self._make(name)

    def _make(self, name: str) -> None:
        if name in self._failed:
            raise self._failed[name]
        if name not in self._pending:
            return
        try:
            self._check_variable(name)
            self._pending[name].make(self._name(name))
            self._lay(name)
        except pytest.UsageError as error:
            self._failed[name] = error
            self._end_run(error)
            raise
        del self._pending[name]
        if hasattr(self.config, "workerinput"):
            self.clones[name].server.close()  # the controller's connection is the one that owns

    def _lay(self, name: str) -> None:
        """Where files are this worker's own, the address itself may be, too."""
        session = self.config.pluginmanager.getplugin("outpace-worker")
        for watch in session.sandboxes if session is not None else ():
            if "files" in watch.sandbox.kinds:
                given = watch.sandbox.given
                self._pending[name].lay(self._name(name), [given["root"], *given["databases"]])

    def _check_variable(self, name: str) -> None:
        """What has read an address that somebody else put there would share its database with all workers."""
        database, address = self.clones[name].database, self._address(name)
        if database.url_env and os.environ.get(database.url_env) != address:
            raise pytest.UsageError(
                f"{database.place}: {database.url_env} is set by the project itself, over the address of the worker's "
                f"clone: set it only where it is missing, with os.environ.setdefault({database.url_env!r}, ...)"
            )

    def _end_run(self, error: pytest.UsageError) -> None:
        """A worker's test fails, and the run ends with this; alone it is the run that this is raised in."""
        session = self.config.pluginmanager.getplugin("outpace-worker")
        if session is not None:
            session.reporting.event("usage_error", messages=[str(arg) for arg in error.args])
