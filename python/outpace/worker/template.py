"""The template: after collection it forks workers on demand and runs no test.

It stays as collection left it. A fork goes on as a worker, back through the stack of hooks that led here; the template
itself never leaves :func:`serve` but to end the process, or to become a worker where a fork is not allowed.
"""

from __future__ import annotations

import gc
import json
import os
import select
import sys
import traceback
from typing import TYPE_CHECKING, Any

from outpace import collection, forked_start, plain
from outpace.wire import Channel, Kind

from . import detect, seeding, stacks
from .repair import Identity, Template, finish, repair

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from .session import WorkerSession

# Names of repairs to leave out: for the tests that prove each one is needed.
SKIP_REPAIR = "OUTPACE_SKIP_REPAIR"


class Forkable:
    """What must be known from before any code of the user's ran to say later whether, and how, to fork."""

    def __init__(self, environ: detect.TracedEnviron, workerinput: detect.RecordingInput) -> None:
        self.environ = environ
        self.workerinput = workerinput
        self.baseline = detect.snapshot()
        self.random_start = seeding.watch()
        self.template: Template | None = None
        self.skip = frozenset(filter(None, os.environ.get(SKIP_REPAIR, "").split(",")))

    def reasons(self, config: pytest.Config) -> list[str]:
        found = detect.findings(self.baseline, self.environ, self.workerinput, config)
        return [finding.message for finding in found]

    def obstacles(self, config: pytest.Config) -> list[str]:
        """Those that also keep a worker from forking itself, under the id that it has."""
        found = detect.findings(self.baseline, self.environ, self.workerinput, config)
        return [finding.message for finding in found if finding.code != "worker-id"]

    def begin_again(self) -> None:
        """What is open now is this process's own."""
        self.baseline = detect.snapshot()

    def stop_watching(self) -> None:
        self.environ.uninstall()
        self.workerinput.stop()


def serve(worker: WorkerSession, session: pytest.Session) -> bool:
    """Do what the coordinator says until this process is to run tests (True) or to end its session (False)."""
    channel, forkable = worker.channel, worker.forkable
    poll = select.poll()
    poll.register(channel.fd, select.POLLIN)
    children: dict[int, int] = {}
    while True:
        frame = channel.pending()
        if frame is None:
            _wait(poll, children, channel)
            if not _readable(channel.fd):
                continue
            frame = channel.receive_with_descriptors()
        if frame.kind == Kind.FORK:
            if _fork(worker, frame.payload, poll, children):
                return True
        elif frame.kind == Kind.REFERENCE:
            reorder(session, collection.decode_ids(frame.payload))
        elif frame.kind == Kind.RUN:
            forkable.stop_watching()
            gc.unfreeze()
            if worker.isolate is not None:
                from . import isolating

                isolating.enter(worker, None)
            return True
        elif frame.kind == Kind.SHUTDOWN:
            return False
        elif frame.kind == Kind.EXIT:
            _end(worker)


def reorder(session: pytest.Session, ids: Sequence[str]) -> None:
    """Put the items into the order of another process's collection of the same tests."""
    places: dict[str, list[pytest.Item]] = {}
    for item in session.items:
        places.setdefault(item.nodeid, []).append(item)
    session.items[:] = [places[nodeid].pop(0) for nodeid in ids]


def _readable(fd: int) -> bool:
    ready, _, _ = select.select([fd], [], [], 0) if fd < 1024 else ([fd], [], [])
    return bool(ready)


def _wait(poll: select.poll, children: dict[int, int], channel: Channel) -> None:
    """Wait for a command; report children that end meanwhile."""
    blind = any(pidfd < 0 for pidfd in children.values())
    poll.poll(20 if blind else None)
    for pid, pidfd in list(children.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            del children[pid]
            if pidfd >= 0:
                poll.unregister(pidfd)
                os.close(pidfd)
            channel.send(Kind.W_EXITED, json.dumps({"pid": pid, "status": status}).encode())


def _fork(worker: WorkerSession, payload: bytes, poll: select.poll, children: dict[int, int]) -> bool:
    """True in the child."""
    number, lane = int.from_bytes(payload[:4], "little"), int.from_bytes(payload[4:8], "little")
    fd = worker.channel.take_descriptor()
    forkable = worker.forkable
    if forkable.template is None:
        forkable.stop_watching()
        own = (worker.channel.fd, fd, stacks.descriptor(), *children.values())
        own += tuple(worker.live.fds) if worker.live is not None else ()
        forkable.template = Template.prepare(worker.config, random_start=forkable.random_start, descriptors=own)
    forkable.template.before_fork()
    parent = os.getpid()
    try:
        pid = forked_start.fork()
    except OSError as error:
        os.close(fd)
        answer = {"worker": number, "pid": 0, "error": str(error)}
        worker.channel.send(Kind.W_FORKED, json.dumps(answer).encode())
        return False
    if pid == 0:
        siblings = [worker.channel.fd, *(pidfd for pidfd in children.values() if pidfd >= 0)]
        _become_worker(worker, plain.loads(payload[8:]), Channel(fd), lane, (parent, *siblings))
        return True
    os.close(fd)
    children[pid] = pidfd = _pidfd(pid)
    if pidfd >= 0:
        poll.register(pidfd, select.POLLIN)
    worker.channel.send(Kind.W_FORKED, json.dumps({"worker": number, "pid": pid, "error": None}).encode())
    return False


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1


def _become_worker(
    worker: WorkerSession, given: dict[str, Any], channel: Channel, lane: int, inherited: tuple[int, ...]
) -> None:
    parent, *fds = inherited
    workerinput = given["workerinput"]
    identity = Identity(workerinput["workerid"], workerinput, given["basetemp"], tuple(fds), parent)
    worker.channel.fd = -1
    worker.channel = channel
    worker.enter_lane(lane)
    worker.may_be_held = given["may_be_held"]
    worker.measures = given["measures"]
    template = worker.forkable.template
    assert template is not None
    try:
        repair(worker.config, identity, template, skip=worker.forkable.skip)
        if worker.live is not None:
            worker.live.become_fork(worker.config, given["live"])
        if given["env"]:
            from outpace import worker_env

            worker_env.apply(given["env"], identity.worker_id, str(workerinput["testrunuid"]))
        if given["databases"] is not None:
            from outpace.databases.worker import given_key

            worker.config.stash[given_key] = given["databases"]
            os.environ.update(given["databases"]["environ"])
        if worker.isolate is not None:
            from . import isolating

            isolating.enter(worker, given["basetemp"])
        worker.config.hook.pytest_outpace_worker_forked(config=worker.config)
    except Exception:
        channel.send(Kind.W_EVENT, plain.dumps(("start_error", {"text": traceback.format_exc()})))
        os._exit(1)


def finish_worker(worker: WorkerSession) -> None:
    """The end of a forked worker's process, in place of the interpreter's own."""
    template = worker.forkable.template
    assert template is not None
    finish(worker.config, template, skip=worker.forkable.skip)
    for watch in worker.sandboxes:
        watch.leave()


def _end(worker: WorkerSession) -> None:
    """The template's own end: it has no session to finish, only what was registered before the fork to run."""
    import atexit

    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)
