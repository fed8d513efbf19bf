"""The templates of warm runs: a process that is about to become one, and its fork that has collected and is kept.

Both start, for each run, a coordinator with a template of its own: a fork that then speaks the protocol as any template
does. Neither runs a test.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from outpace import __version__, forked_start, plain, pytest_private
from outpace.launch import find_binary
from outpace.wire import Channel, Closed, Kind, frame

from . import recorder, streams
from .control import OF_THE_SHELL, Control, Waiter, apply_shell

if TYPE_CHECKING:
    import pytest

    from outpace.worker.session import WorkerSession

    from .doors import Doors

_RUN_ID = "PYTEST_XDIST_TESTRUNUID"
# Which tests a run of `outpace watch` has.
_WATCH = "outpace_watch"
# Of what a worker is given: what is put right in each run.
_OF_THE_RUN = ("basetemp", "measures", "may_be_held", "isolate_early", "per_worker_keys")


def main(control_fd: int, args: list[str], environ: Mapping[bytes, bytes], cwd: str) -> None:
    """Be the process that is about to become a template; ends it."""
    from outpace.worker import board, bootstrap

    control = Control(control_fd)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):  # as the coordinator starts a template
        os.dup2(null, fd)
    os.close(null)
    bootstrap.import_ahead()
    board.register_for_fence()
    starter = Starter(control, environ, cwd)
    while True:
        message, fds = starter.next()
        if message["kind"] == "run":
            started = starter.start(message, *fds)
            if started is not None:
                bootstrap.serve(started, args)
                return
        elif message["kind"] == "collect":
            parent, pid = os.getpid(), os.fork()
            if pid == 0:
                forked_start.be_child_of(parent)
                starter.enter(Control(fds[0]))
                _collect(starter, fds[1], args)
                return
            starter.waiter.add_child(pid)
            for fd in fds:
                os.close(fd)


class Starter:
    """What starts coordinators with templates that are forks of this process."""

    def __init__(self, control: Control, environ: Mapping[bytes, bytes], cwd: str) -> None:
        self.environ = dict(environ)
        self.cwd = cwd
        self.binary = find_binary()
        self.control = control
        self.waiter = Waiter(control)

    def enter(self, control: Control) -> None:
        """As a fork with a connection of its own."""
        self.control.close()
        self.waiter.close()
        self.control = control
        self.waiter = Waiter(control)

    def next(self) -> tuple[dict[str, Any], list[int]]:
        """What the server says; the process ends where there is no more."""
        while True:
            ready, _ = self.waiter.wait()
            if self.control.fileno() in ready:
                message = self.control.receive()
                if message is None or message[0]["kind"] == "retire":
                    os._exit(0)
                return message

    def start(self, message: dict[str, Any], stderr: int, coordinator: int) -> int | None:
        """In the template of the run: the descriptor of its socket."""
        coordinators_end, templates_end = socket.socketpair()
        pid = forked_start.fork()
        if pid:
            self.waiter.add_child(pid)
            for fd in (stderr, coordinator):
                os.close(fd)
            coordinators_end.close()
            templates_end.close()
            return None
        self.waiter.close()
        self.control.close()
        is_template = False
        try:
            parent = os.getpid()
            template = forked_start.fork()
            streams.enter({2: stderr})
            if template == 0:
                os.close(coordinator)
                coordinators_end.close()
                forked_start.be_child_of(parent)
                apply_shell(message["env"])
                is_template = True
                return templates_end.detach()
            kept = coordinator, coordinators_end.fileno()
            for fd in kept:
                os.set_inheritable(fd, True)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.chdir(self.cwd)
            arguments = [self.binary, "__coordinate", str(kept[0]), str(template), str(kept[1])]
            os.execve(self.binary, arguments, self._environ_of(message["env"]))
        finally:
            if not is_template:
                os._exit(127)

    def _environ_of(self, shell: list[list[str]]) -> dict[bytes, bytes]:
        environ = {name: value for name, value in self.environ.items() if os.fsdecode(name) not in OF_THE_SHELL}
        environ.update({os.fsencode(name): os.fsencode(value) for name, value in shell})
        return environ

    def begin_anew(self, channel: Channel, payload: bytes, board_fd: int) -> NoReturn:
        """As a template of a run for which nothing that was collected is of use: be a fresh interpreter."""
        from outpace.worker import anew

        anew.become(payload, board_fd, channel.fd, self.cwd, self.environ)


class _Kept(Channel):
    """In place of the coordinator's connection, while there is none: what is said is said again in each run."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.said: list[bytes] = []

    def send(self, kind: int, *payload: bytes) -> None:
        self.said.append(frame(kind, *payload))

    def send_bytes(self, data: bytes) -> None:
        self.said.append(bytes(data))


def _collect(starter: Starter, given_fd: int, args: list[str]) -> None:
    """Be a layer that has collected, or say why not; ends the process in any case."""
    from outpace.worker import board, bootstrap

    with os.fdopen(given_fd, "rb") as file:
        file.seek(0)
        blob = file.read()
    given: dict[str, Any] = plain.loads(blob)
    recorder.resume()
    memory = os.memfd_create("outpace-board")
    os.truncate(memory, board.LANE + board.RING)
    shared = board.Board(memory)
    os.close(memory)
    why = _unsuitable(given)
    if why is not None:
        starter.control.send("unusable", why=why)
        os._exit(0)
    sys.argv[:] = ["-c"]
    # What differs between runs is watched as what differs between workers.
    watched = {**given, "per_worker_keys": [*given["per_worker_keys"], "testrunuid"]}
    layer = Collected(starter, plain.loads(blob))  # a session changes the lists that it is given
    bootstrap.run(layer.kept, shared, 0, watched, pytest_private.new_config(args), layer=layer)


def _unsuitable(given: dict[str, Any]) -> str | None:
    if "live" in given:
        return "its output is shown as it comes"
    if given["databases"] is not None:
        return "databases are prepared for each run"
    if any("{run}" in value for value in given["env"].values()):
        return "the environment of workers is another one in each run"
    return None


class Run(NamedTuple):
    """As the coordinator begins it: its connection, the first message, what is in it, and the board."""

    channel: Channel
    payload: bytes
    given: dict[str, Any]
    board_fd: int


class Collected:
    """The layer that has collected, as its session sees it."""

    def __init__(self, starter: Starter, given: dict[str, Any]) -> None:
        self._starter = starter
        self._given = given
        self.kept = _Kept()
        self._doors: Doors | None = None
        # Of what was collected, the run has only some tests.
        self.has_narrowed = False

    @property
    def control(self) -> Control:
        return self._starter.control

    def refuse(self, config: pytest.Config, why: str) -> NoReturn:
        fds = []
        with contextlib.suppress(recorder.NotRecordable):
            fds = [recorder.settle(config)]
        self._starter.control.send("unusable", fds, why=why)
        os._exit(0)

    def watch(self, worker: WorkerSession) -> None:
        """The collection begins."""
        from .doors import Doors

        self._doors = Doors(worker, self)
        self._doors.watch()

    def wait_at_door(self, worker: WorkerSession, control: Control, child: int) -> Run:
        """Fork templates that collect the rest; returns in each of these. ``child`` goes on without this process."""
        self._starter.enter(control)
        self._starter.waiter.add_child(child)
        gc.freeze()  # what is there is shared with runs, as long as nobody looks through it
        run = self._next_run()
        worker.begins(run.given, (run.payload, run.board_fd))
        self._enter(worker, run)
        worker.lane.begin()
        return run

    def go_on(self, worker: WorkerSession, run: Run) -> None:
        """Everything that was said so far holds in this run."""
        self._tell(worker, run, self.kept.said)
        worker.layer = None
        worker.forkable.begin_again()
        worker.forkable.environ.ignore(_RUN_ID)
        if "testrunuid" not in run.given["per_worker_keys"]:
            worker.forkable.workerinput.ignore("testrunuid")

    def hold(self, worker: WorkerSession) -> None:
        """The tests are collected: fork templates; returns in each of these."""
        from outpace.worker import stacks
        from outpace.worker.repair import Template

        from .builder import unshared_exits

        assert self._doors is not None
        self._doors.stop()
        config, forkable = worker.config, worker.forkable
        why = next(iter(forkable.reasons(config)), None) or unshared_exits(config)
        if why is not None:
            self.refuse(config, why)
        forkable.stop_watching()
        try:
            record = recorder.settle(config)
        except recorder.NotRecordable as error:
            self.refuse(config, str(error))
        control = self._starter.control
        own = (control.fileno(), record, stacks.descriptor())
        forkable.template = Template.prepare(config, random_start=forkable.random_start, descriptors=own)
        control.send("ready", [record])
        os.close(record)
        run = self._next_run()
        *said, collection = self.kept.said
        self._enter(worker, run)
        self._tell(worker, run, said)
        os.close(run.board_fd)
        if run.given["workerinput"].get(_WATCH) is not None:
            self._narrow(worker)
        else:
            run.channel.send_bytes(collection)

    def _next_run(self) -> Run:
        """In the template of the next run."""
        started = None
        while started is None:
            message, fds = self._starter.next()
            started = self._starter.start(message, *fds) if message["kind"] == "run" else None
        channel = Channel(started)
        try:
            channel.send(Kind.W_HELLO, json.dumps({"version": __version__}).encode())
            first = channel.receive_with_descriptors()
        except Closed:
            os._exit(0)
        if first.kind != Kind.INIT:
            os._exit(0)
        run = Run(channel, first.payload, plain.loads(first.payload[4:]), channel.take_descriptor())
        why = difference(self._given, run.given)
        if why is not None:
            self.begin_anew(run, why)
        return run

    def begin_anew(self, run: Run, why: str) -> NoReturn:
        run.channel.send(Kind.W_EVENT, plain.dumps(("layer", {"why": why})))
        self._starter.begin_anew(run.channel, run.payload, run.board_fd)

    def _enter(self, worker: WorkerSession, run: Run) -> None:
        """As the template of a run."""
        from outpace.worker import board
        from outpace.worker.repairs_pytest import renew_captures

        given = run.given
        worker.board = board.Board(run.board_fd)
        worker.channel = run.channel
        worker.enter_lane(int.from_bytes(run.payload[:4], "little"))
        worker.enter = worker.lane.enter
        worker.measures = given["measures"]
        renew_captures(worker.config, with_content=True)
        workerinput = worker.config.workerinput  # type: ignore[attr-defined]
        os.environ[_RUN_ID] = workerinput["testrunuid"] = str(given["workerinput"]["testrunuid"])
        os.environ.pop("OUTPACE_WATCH", None)
        plan = given["workerinput"].get(_WATCH)
        if plan is not None:
            workerinput[_WATCH] = plan
        pytest_private.move_tmp_paths(worker.config, given["basetemp"])

    def _tell(self, worker: WorkerSession, run: Run, said: Sequence[bytes]) -> None:
        from outpace.worker.outbox import Direct
        from outpace.worker.reporting import Reporting

        worker.reporting = Reporting(worker.config, Direct(run.channel))
        for data in said:
            run.channel.send_bytes(data)

    def _narrow(self, worker: WorkerSession) -> None:
        from outpace.watching import selection

        assert worker.session is not None
        plan = worker.config.workerinput[_WATCH]  # type: ignore[attr-defined]
        worker.session.items[:], _ = selection.split(worker.session.items, plan)
        self.has_narrowed = True


def difference(mine: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """Why a template that was given the one is none for a run whose workers are given the other."""
    for name in sorted({*mine, *theirs} - {*_OF_THE_RUN, "workerinput", "environ"}):
        if mine.get(name) != theirs.get(name):
            return f"workers are given another {name}"
    for name in sorted({*mine["environ"], *theirs["environ"]} - {*OF_THE_SHELL, _RUN_ID}):
        if mine["environ"].get(name) != theirs["environ"].get(name):
            return f"the variable {name} is another one in each run"
    for name in sorted({*mine["workerinput"], *theirs["workerinput"]} - {"testrunuid", _WATCH}):
        if mine["workerinput"].get(name) != theirs["workerinput"].get(name):
            return f'workerinput["{name}"] is another one in each run'
    return None
