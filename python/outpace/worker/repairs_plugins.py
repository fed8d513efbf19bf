"""Repairs of plugins that hold a process id, a connection or a measurement. See :mod:`outpace.worker.repair`.

The plugins are found by the names of their classes; none is imported here.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from outpace.worker.repair import Identity, Template


def file_locks() -> list[Any]:
    """Locks of the ``filelock`` library made before the fork; it refuses to take one in another process."""
    base = getattr(sys.modules.get("filelock"), "BaseFileLock", None)
    if base is None:
        return []
    gc.unfreeze()  # what is frozen cannot be listed
    return [each for each in gc.get_objects() if isinstance(each, base) and hasattr(each, "_creator_pid")]


def filelock(config: pytest.Config, identity: Identity, template: Template) -> None:
    for lock in template.file_locks:
        lock._creator_pid = os.getpid()


def release(config: pytest.Config) -> None:
    """In the template: let go of the connections that each fork makes anew.

    pytest-retry's server reads one connection to its end before it looks at the next, so an idle one in the template
    would keep it from hearing any worker.
    """
    for client in (rerun_client(config), retry_client()):
        if client is not None:
            client.sock.close()
    database = testmon_database(config)
    if database is not None:
        database.outpace_datafile = _datafile(database)
        database.con.close()


def known_descriptors(config: pytest.Config) -> set[int]:
    """Sockets that a fork may inherit, because a repair opens its own."""
    clients = (rerun_client(config), retry_client())
    return {client.sock.fileno() for client in clients if client is not None}


def known_files(config: pytest.Config) -> set[str]:
    """Database files that a fork may inherit, because a repair, or their owner, opens its own."""
    database = testmon_database(config)
    if database is None:
        return set()
    datafile = _datafile(database)
    return {datafile, f"{datafile}-wal", f"{datafile}-shm", f"{datafile}-journal"}


def pytest_cov(config: pytest.Config, identity: Identity, template: Template) -> None:
    plugin = config.pluginmanager.getplugin("_cov")
    if hasattr(plugin, "pid"):
        plugin.pid = os.getpid()


def allure(config: pytest.Config, identity: Identity, template: Template) -> None:
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__module__ == "allure_pytest.listener" and hasattr(plugin, "_thread"):
            plugin._thread = f"{os.getpid()}-{threading.current_thread().name}"


def benchmark(config: pytest.Config, identity: Identity, template: Template) -> None:
    session: Any = getattr(config, "_benchmarksession", None)
    if getattr(session, "xdist_benchmark_found", False):
        session.xdist_worker = identity.worker_id
        session.xdist_benchmark_found = identity.worker_id == "gw0"


def rerun_client(config: pytest.Config) -> Any:
    """The worker's connection to the count of failures that pytest-rerunfailures keeps in the controller."""
    database = getattr(config, "failures_db", None)
    return database if type(database).__name__ == "ClientStatusDB" else None


def rerunfailures(config: pytest.Config, identity: Identity, template: Template) -> None:
    client = rerun_client(config)
    if client is None:
        return
    values = {"sock_port": identity.workerinput["sock_port"], "token": identity.workerinput.get("statusdb_token")}
    wanted = inspect.signature(type(client)).parameters
    client.sock = type(client)(*(values[name] for name in wanted)).sock


def retry_client() -> Any:
    """The worker's connection to the report that pytest-retry writes in the controller."""
    manager = getattr(sys.modules.get("pytest_retry.retry_plugin"), "retry_manager", None)
    reporter = getattr(manager, "reporter", None)
    return reporter if type(reporter).__name__ == "ClientReporter" else None


def pytest_retry(config: pytest.Config, identity: Identity, template: Template) -> None:
    client = retry_client()
    if client is not None:
        # The new object is not kept: it closes its socket when it dies, so it has to give the socket away first.
        fresh = type(client)(identity.workerinput["server_port"])
        client.sock, fresh.sock = fresh.sock, client.sock


def testmon_database(config: pytest.Config) -> Any:
    database = getattr(getattr(config, "testmon_data", None), "db", None)
    return database if type(database).__module__ == "testmon.db" and hasattr(database, "con") else None


def _datafile(database: Any) -> str:
    return str(database.con.execute("PRAGMA database_list").fetchone()[2])


def testmon(config: pytest.Config, identity: Identity, template: Template) -> None:
    database = testmon_database(config)
    if database is not None:
        database.con = type(database)(database.outpace_datafile, readonly=database._readonly).con


def save_coverage() -> None:
    """Save a measurement started at the interpreter's start (``coverage.process_startup``), which saves at exit.

    Coverage itself keeps apart the data files of a process and of its forks. One started anew in the fork
    (``patch = fork``) is found in the same way; one that pytest-cov drives does not save by itself and is left alone.
    """
    control = sys.modules.get("coverage.control")
    if control is None:
        return
    started = list(getattr(control.Coverage, "_instances", ()))
    with suppress(AttributeError):
        started.append(control.process_startup.coverage)
    for coverage in {id(each): each for each in started}.values():
        if getattr(coverage, "_auto_save", False):
            coverage.stop()
            coverage.save()
            coverage._auto_save = False
