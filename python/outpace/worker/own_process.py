"""Tests in processes of their own: ``--isolate-each``, and ``@pytest.mark.own_process``.

Where there are such tests the worker becomes a *keeper*: it never runs a test, so it stays as collection left it. For
each of these tests it forks a process that runs this one test, finishes its session and ends; for a row of other tests
it forks one that goes on with the worker's loop until the next test of the first kind comes up. To the coordinator and
the controller all of them are the one worker: they speak on its connection, one at a time, and under its name.

What a fork hands over at its end is all the keeper must know of it. A fork that ends without that has crashed, and the
keeper ends in the same way, so that a crash is told and dealt with as that of any worker.

Imported only where a test is to have a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import struct
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from outpace import plain, pytest_private

from . import board, repairs_plugins, stacks
from .repair import Identity, Template, repair

if TYPE_CHECKING:
    from .loop import Loop
    from .session import WorkerSession

# The keeper's streams, folder and connection are right already; each fork goes on with them.
_NOT_AGAIN = frozenset({"stdio", "tmp_path", "allure"})
# What every session writes into ``workeroutput``; the rest is of plugins.
_OF_THE_SESSION = frozenset({"exitstatus", "shouldfail", "shouldstop"})
_CHUNK = 1 << 16
_LENGTH = struct.Struct("<Q")
_INTERRUPT = {signal.SIGINT}


def obstacle(worker: WorkerSession) -> str | None:
    """Why this process must not be forked; its id may well have been read, for its forks keep it."""
    reasons = worker.forkable.obstacles(worker.config)
    return reasons[0] if reasons else None


class Keeper:
    def __init__(self, worker: WorkerSession, isolated: Collection[int]) -> None:
        self.worker = worker
        self.config = worker.config
        self.isolated = isolated
        # Each of the different outputs that forks had for plugins of the controller.
        self._outputs: set[bytes] = set()
        # In a fork: where it hands over what it leaves behind.
        self._far_end = -1
        self._loop: Loop = worker.loop
        self._loop.left_to_keeper = isolated

    @property
    def is_fork(self) -> bool:
        return self._far_end >= 0

    def run(self) -> None:
        """In place of the loop. Returns in the keeper at its end, and in each fork when it has run what it was for."""
        template = self._prepare()
        self._loop.titles()
        index = self._loop.ask_idle()
        while index is not None and not self._loop.is_over_while_held():
            if self._fork(index, template):
                return
            session = self._loop.session
            if session.shouldfail or session.shouldstop:
                break
            index = self._loop.left if self._loop.left is not None else self._loop.ask_idle()
        for connect in (repairs_plugins.rerunfailures, repairs_plugins.pytest_retry, repairs_plugins.testmon):
            connect(self.config, self._identity(), template)

    def _prepare(self) -> Template:
        forkable = self.worker.forkable
        if forkable.template is None:
            own = (self.worker.channel.fd, stacks.descriptor())
            forkable.template = Template.prepare(self.config, random_start=forkable.random_start, descriptors=own)
        else:
            repairs_plugins.release(self.config)
        template = forkable.template
        template.forks = 0  # the first of ours takes what was captured before the tests
        pytest_private.make_tmp_base(self.config)
        return template

    def _identity(self) -> Identity:
        workerinput: dict[str, object] = dict(self.config.workerinput)  # type: ignore[attr-defined]
        return Identity(str(workerinput["workerid"]), workerinput, None, (), os.getppid())

    # -- forks

    def _fork(self, index: int, template: Template) -> bool:
        """True in the fork, once it has run what it was for."""
        identity = self._identity()
        near, far = os.pipe()
        template.before_fork()
        keeper = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
            os.close(near)
            self._far_end = far
            self._become_fork(index, identity, keeper, template)
            return True
        os.close(far)
        handler = signal.getsignal(signal.SIGINT)
        # Meant for whoever runs the test, as long as it is not known that that is not this process.
        signal.signal(signal.SIGINT, lambda number, frame: os.kill(pid, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
        data = _until_its_end(pid, near)
        signal.signal(signal.SIGINT, handler)
        _, status = os.waitpid(pid, 0)
        self._take_over(status, data)
        return False

    def _become_fork(self, index: int, identity: Identity, keeper: int, template: Template) -> None:
        worker = self.worker
        identity = Identity(identity.worker_id, identity.workerinput, None, (), keeper)
        skip = _NOT_AGAIN | worker.forkable.skip
        if worker.live is not None and worker.live.is_followed:
            skip |= {"capture"}
        repair(self.config, identity, template, skip=skip)
        pytest_private.number_tmp_paths_anew(self.config)
        stacks.install(worker.lane)
        worker.reporting.acting(os.getpid())
        self.config.hook.pytest_outpace_worker_forked(config=self.config)
        if index in self.isolated:
            self._loop.run_alone(index)
        else:
            self._loop.run(index)

    def hand_over(self, exitstatus: int) -> None:
        """At the end of a fork's session."""
        session = self._loop.session
        left = {
            "exitstatus": exitstatus,
            "shouldfail": session.shouldfail,
            "shouldstop": session.shouldstop,
            "testsfailed": session.testsfailed,
            "loop": self._loop.state(),
            "workeroutput": self.config.workeroutput,  # type: ignore[attr-defined]
        }
        data = plain.dumps(left)
        view = memoryview(_LENGTH.pack(len(data)) + data)
        while view:
            view = view[os.write(self._far_end, view) :]

    # -- in the keeper

    def _take_over(self, status: int, data: bytes) -> None:
        worker = self.worker
        worker.lane.tell_stacks(stacks.descriptor())
        worker.reporting.acting(0)
        if status or len(data) < _LENGTH.size or len(data) - _LENGTH.size < _LENGTH.unpack_from(data)[0]:
            _end_as(status)
        left = plain.loads(data[_LENGTH.size :])
        if worker.live is not None:
            worker.live.skip_followed()
        self._pass_on(left["workeroutput"])
        worker.lane.enter(board.IDLE)
        session = self._loop.session
        session.testsfailed = left["testsfailed"]
        session.shouldfail, session.shouldstop = left["shouldfail"], left["shouldstop"]
        self._loop.restore(left["loop"])
        if left["exitstatus"] == pytest.ExitCode.INTERRUPTED and not (session.shouldfail or session.shouldstop):
            raise KeyboardInterrupt
        if left["exitstatus"] == pytest.ExitCode.INTERNAL_ERROR:
            # It has said so itself.
            session.shouldstop = "internal error"


    def _pass_on(self, output: dict[str, Any]) -> None:
        """What plugins said at the end of the fork's session, unless another fork has said the same."""
        told = plain.dumps({name: value for name, value in output.items() if name not in _OF_THE_SESSION})
        if told not in self._outputs:
            self._outputs.add(told)
            self.worker.reporting.event("fork_output", output=output)


def _until_its_end(pid: int, near: int) -> bytes:
    """What the fork wrote, when it has ended; what it left running ends with it. Closes the pipe."""
    try:
        pidfd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        # Then its end is that of the pipe, which what it left running may hold open.
        with open(near, "rb") as file:
            return file.read()
    os.set_blocking(near, False)
    poll = select.poll()
    poll.register(near, select.POLLIN)
    poll.register(pidfd, select.POLLIN)
    data = b""
    has_ended = False
    while not has_ended:
        has_ended = pidfd in [fd for fd, _ in poll.poll()]
        chunk = b"more"
        while chunk:
            try:
                chunk = os.read(near, _CHUNK)
            except BlockingIOError:
                break
            data += chunk
        else:
            with contextlib.suppress(KeyError):
                poll.unregister(near)
    # It has not been waited for yet: the number of its group is still its own.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    os.close(pidfd)
    os.close(near)
    return data


def _end_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))
