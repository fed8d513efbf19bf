"""When a worker enters its sandbox, and what it then has on board.

A fork enters after its repairs, which may still make connections; a process that is certainly a worker before any code
of the user's (:mod:`outpace.worker.bootstrap`); one that collected before it became a worker, or whose tests ask for
more than the settings, before its first test. Imported only where something is asked for.
"""

from __future__ import annotations

import atexit
from collections.abc import Collection
from typing import TYPE_CHECKING

from outpace import isolation, leases

from . import sandbox, sandbox_calls
from .sandbox_watch import SandboxWatch, WritesWatch

if TYPE_CHECKING:
    from .session import WorkerSession


def settle(worker: WorkerSession, asked: Collection[str]) -> None:
    """After the collection: what its marks ask for, and the settings, together. Raises ``pytest.UsageError``."""
    kinds = {*asked, *(worker.isolate["kinds"] if worker.isolate is not None else ())}
    if worker.isolate is None or kinds != set(worker.isolate["kinds"]):
        worker.isolate = isolation.prepare(worker.config, kinds)
    sandbox_calls.library()


def kinds_outside(worker: WorkerSession) -> list[str]:
    """What this worker is to have of its own, and has not yet been told to enter."""
    assert worker.isolate is not None
    inside = {kind for watch in worker.sandboxes for kind in watch.sandbox.given["kinds"]}
    return [kind for kind in worker.isolate["kinds"] if kind not in inside]


def enter(worker: WorkerSession, basetemp: str | None) -> None:
    """Before the first test of this worker; what it is in already is left out."""
    assert worker.isolate is not None
    kinds = kinds_outside(worker)
    if kinds:
        given = {**worker.isolate, "kinds": kinds}
        if "ports" in kinds:
            leases.slot()  # in a network of its own, every worker would have the first one
        if given["servers"]:
            from outpace.databases import places
            from outpace.databases import worker as databases

            given["renames"] = places.renames(given, worker.config.stash.get(databases.given_key, None))
        basetemp = basetemp or worker.config.option.basetemp
        watch(worker, sandbox.enter_or_say(given, basetemp, worker.channel))


def watch(worker: WorkerSession, entered: sandbox.Sandbox) -> None:
    if entered.upper is not None and entered.root is not None:
        watching: SandboxWatch = WritesWatch(entered, worker, entered.upper, entered.root)
    else:
        watching = SandboxWatch(entered, worker)
    worker.sandboxes.append(watching)
    worker.config.pluginmanager.register(watching, f"outpace-sandbox-{len(worker.sandboxes)}")
    if worker.forkable.template is None:
        # Not a fork: its interpreter ends as ever.
        atexit.register(watching.leave)
