"""A worker that collected outside of its sandbox, and must not enter it any more, begins again inside.

Threads do not come along into a namespace, nor do connections and child processes that the import of the tests has
left. So the session ends without a test, in order, and the process becomes a fresh interpreter, which enters its
sandbox before any code of the project's, as every spawned worker does. To the coordinator it is the same worker all
along: the process, its connection and its lane stay, and what it has collected is told once. Imported only where
something is to be isolated.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from outpace import plain
from outpace.launch import SOCKET, python_command
from outpace.plugin import start_method

if TYPE_CHECKING:
    import pytest

    from .sandbox import Sandbox
    from .session import WorkerSession


def is_needed(worker: WorkerSession, reasons: Sequence[str]) -> bool:
    """After the collection. ``reasons`` are those against a fork."""
    from . import isolating

    if worker.start is None or not isolating.kinds_outside(worker) or not _is_no_template(worker, reasons):
        return False
    return len(os.listdir("/proc/self/task")) > 1 or bool(worker.forkable.obstacles(worker.config))


def _is_no_template(worker: WorkerSession, reasons: Sequence[str]) -> bool:
    return worker.is_early or (bool(reasons) and start_method(worker.config) == "auto")


def begin(worker: WorkerSession) -> NoReturn:
    """Once the session is over."""
    assert worker.start is not None and worker.session is not None
    payload, board_fd = worker.start
    lane, given = payload[:4], plain.loads(payload[4:])
    ids = [item.nodeid for item in worker.session.items]
    inside = [_carried(watch.sandbox) for watch in worker.sandboxes]
    given.update(isolate=worker.isolate, isolate_early=True, told=ids, inside=inside)
    try:
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, OSError, ValueError):
                stream.flush()
        become(lane + plain.dumps(given), board_fd, worker.channel.fd, given["cwd"], given["environ"])


def _carried(entered: Sandbox) -> dict[str, Any]:
    for fd in (entered.upper, entered.root):
        if fd is not None:
            os.set_inheritable(fd, True)
    return vars(entered)


def become(payload: bytes, board_fd: int, socket_fd: int, cwd: str, environ: Any) -> NoReturn:
    """A fresh interpreter in place of this one, which has had its first message already."""
    given = os.memfd_create("outpace-given")
    with os.fdopen(os.dup(given), "wb") as file:
        file.write(payload)
    for fd in (given, board_fd, socket_fd):
        os.set_inheritable(fd, True)
    os.chdir(cwd)
    command = python_command()
    variables = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
    variables[SOCKET.encode()] = f"{socket_fd}:{given}:{board_fd}".encode()
    os.execve(command[0], command, variables)


def compare(session: pytest.Session, told: Sequence[str]) -> None:
    """What is collected inside must be what was told. Raises ``pytest.UsageError``."""
    import pytest

    ids = [item.nodeid for item in session.items]
    if ids == told:
        return
    other = sorted({*ids} ^ {*told}) or ["their order or their number"]
    if sorted(ids) != sorted(told):
        raise pytest.UsageError(
            "outpace: the tests that are collected in a sandbox differ from those collected outside of it: "
            f"{', '.join(other[:3])}{', …' if len(other) > 3 else ''}. What makes them must be the same in both: "
            "expose it or let it pass through ([tool.outpace.isolate]), or use --start-method spawn"
        )
    from .template import reorder

    reorder(session, told)
