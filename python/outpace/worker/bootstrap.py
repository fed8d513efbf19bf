"""The first Python code of a template or spawned worker.

Started by the coordinator with a socket, or forked from the controller. While the controller is still configuring
itself it imports pytest, then waits for its input, becomes a pytest session in worker role, and leaves the rest to
:mod:`outpace.worker.session`. It must import nothing of the user's before that input has come.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import traceback
from typing import TYPE_CHECKING, Any

from outpace import __version__, garbage, plain, pytest_private
from outpace.launch import SOCKET, configuring_worker
from outpace.wire import Channel, Closed, Kind

from . import board, stacks

if TYPE_CHECKING:
    import pytest

    from outpace.warm.collector import Collected

    from .session import WorkerSession


def main() -> None:
    """The start of a fresh interpreter."""
    socket_fd, *rest = map(int, os.environ.pop(SOCKET).split(":"))
    os.set_inheritable(socket_fd, False)
    if rest:
        _go_on(Channel(socket_fd), *rest)
    else:
        serve(socket_fd)


def _go_on(channel: Channel, given: int, board_fd: int) -> None:
    """In place of a template of a warm run, which has had its first message already."""
    with os.fdopen(given, "rb") as file:
        file.seek(0)
        payload = file.read()
    sys.argv[:] = ["-c"]
    import_ahead()
    board.register_for_fence()
    _begin(channel, board_fd, payload, None)


def serve(socket_fd: int, args: list[str] | None = None) -> None:
    """Be a template or worker, whose coordinator is at the other end of this socket; ends the process.

    ``args`` are those of the session, where they are known already.
    """
    channel = Channel(socket_fd)
    sys.argv[:] = ["-c"]
    try:
        channel.send(Kind.W_HELLO, json.dumps({"version": __version__}).encode())
        import_ahead()
        ahead = None if args is None else pytest_private.new_config(args)
        board.register_for_fence()
        frame, isolate = channel.receive_with_descriptors(), None
        if frame.kind == Kind.ISOLATE:
            isolate = json.loads(frame.payload)
            frame = channel.receive_with_descriptors()
    except Closed:
        os._exit(0)
    if frame.kind != Kind.INIT:
        os._exit(0)
    _begin(channel, channel.take_descriptor(), frame.payload, ahead, isolate)


def _begin(
    channel: Channel,
    board_fd: int,
    payload: bytes,
    ahead: pytest.Config | None,
    isolate: dict[str, Any] | None = None,
) -> None:
    """``isolate``: what the tests are marked to have of their own, where that is known already."""
    os.set_inheritable(board_fd, False)
    lane, given = int.from_bytes(payload[:4], "little"), plain.loads(payload[4:])
    if isolate is not None:
        given["isolate"] = isolate
    run(channel, board.Board(board_fd), lane, given, ahead, start=(payload, board_fd))


def import_ahead() -> None:
    """What the session will import anyway, as long as there is nothing else to do."""
    import _pytest.config

    from outpace import paid

    from . import costs, early_debugger, session

    # Plugins of pytest's own are imported when they are registered; they are not subject to assertion rewriting.
    for name in _pytest.config.default_plugins:
        __import__(f"_pytest.{name}")
    platform.platform()  # each worker tells it; it reads the interpreter's file, once
    del costs, early_debugger, paid, session


def run(
    channel: Channel,
    shared: board.Board,
    lane: int,
    given: dict[str, Any],
    ahead: pytest.Config | None,
    *,
    layer: Collected | None = None,
    start: tuple[bytes, int] | None = None,
) -> None:
    """Be a session in worker role. ``layer``: it is kept, and forks templates of runs. ``start``: the first message,
    and the descriptor of the board."""
    from . import early_debugger
    from .detect import RecordingInput, TracedEnviron
    from .session import WorkerSession
    from .template import Forkable, finish_worker

    _enter(shared.lane(lane))
    if ahead is not None and (os.getcwd() != given["cwd"] or list(ahead.invocation_params.args) != given["args"]):
        ahead = None
    _take_over_process(given)
    live = _begin_live(given)
    workerinput = RecordingInput(given["workerinput"], given["per_worker_keys"])
    names = _own_variables(given)
    environ = TracedEnviron(names if layer is None else names | {"PYTEST_XDIST_TESTRUNUID"})
    databases = given["databases"]
    worker = None
    code = 0
    try:
        sandboxes = _enter_sandboxes(given, channel)
        forkable = Forkable(environ, workerinput)  # it knows from here on what the process had open already
        environ.install()
        early_debugger.pass_over(channel)
        config = _configure(given, forkable, ahead)
        if databases is not None:
            from outpace.databases.worker import given_key

            config.stash[given_key] = databases
        worker = WorkerSession(config, channel, shared, lane, forkable)
        worker.collects(given["measures"])
        worker.begins(given, start)
        worker.layer = layer
        config.pluginmanager.register(worker, "outpace-worker")
        if live is not None:
            worker.live = live
            config.pluginmanager.register(live, "outpace-live")
        worker.is_in(sandboxes)
        config.hook.pytest_cmdline_main(config=config)
        _begin_anew(worker)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        code = 2
    except Closed:
        os._exit(0)
    except BaseException as error:
        code = 1
        _report(worker.channel if worker else channel, error)
    if worker is not None and worker.forkable.template is not None:
        finish_worker(worker)
        os._exit(code)
    sys.exit(code)


def _begin_anew(worker: WorkerSession) -> None:
    if worker.begins_anew:
        from . import anew

        anew.begin(worker)


def _enter(lane: board.Lane) -> None:
    lane.enter(board.START)
    stacks.install(lane)


def _take_over_process(given: dict[str, Any]) -> None:
    """Become what xdist's worker would be: the controller's environment, folder and path, a worker's identity."""
    target: dict[str, str] = given["environ"]
    for name in [name for name in os.environ if name not in target]:
        del os.environ[name]
    for name, value in target.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if os.getcwd() != given["cwd"]:
        os.chdir(given["cwd"])
    sys.path[:] = given["sys_path"]
    workerinput = given["workerinput"]
    os.environ["PYTEST_XDIST_TESTRUNUID"] = workerinput["testrunuid"]
    os.environ["PYTEST_XDIST_WORKER"] = workerinput["workerid"]
    os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(workerinput["workercount"])


def _begin_live(given: dict[str, Any]) -> Any:
    if "live" not in given:
        return None
    from .live import Live

    live = Live(given["live"])
    live.begin()
    return live


def _own_variables(given: dict[str, Any]) -> frozenset[str]:
    """Set those of the project's settings; those that differ between workers are to be watched."""
    table, databases = given["env"], given["databases"]
    names: frozenset[str] = frozenset()
    if table:
        from outpace import worker_env

        worker_env.apply(table, given["workerinput"]["workerid"], given["workerinput"]["testrunuid"])
        names = worker_env.of_workers(table)
    if databases is not None:
        os.environ.update(databases["environ"])
        names |= databases["environ"].keys()
    return names


def _enter_sandboxes(given: dict[str, Any], channel: Channel) -> list[Any]:
    """Where this process is to be isolated, and certainly a worker: before any code of the user's has run."""
    wanted = given["isolate"]
    if wanted is None or not given["isolate_early"]:
        return []
    from outpace import leases

    from . import sandbox

    before = [sandbox.entered_before(each) for each in given.get("inside", ())]
    inside = {kind for each in before for kind in each.given["kinds"]}
    wanted = {**wanted, "kinds": [kind for kind in wanted["kinds"] if kind not in inside]}
    if "ports" in wanted["kinds"]:
        leases.slot()  # in a network of its own, every worker would have the first one
    # Its connection to what these plugins have in the controller is still to be made.
    ports = [given["workerinput"].get(name) for name in ("sock_port", "server_port")]
    own = [f"127.0.0.1:{port}" for port in ports if isinstance(port, int)]
    renames = {}
    if given["databases"] is not None:
        from outpace.databases import places

        renames = places.renames(wanted, given["databases"])
    targets = [*wanted["targets"], *own]
    wanted.update(targets=targets, renames=renames)
    return [*before, sandbox.enter_or_say(wanted, given["basetemp"], channel)]


def _configure(given: dict[str, Any], forkable: Any, ahead: pytest.Config | None) -> pytest.Config:
    args = given["args"]
    garbage.look_less()
    with configuring_worker():
        config = pytest_private.parse_config(ahead or pytest_private.new_config(args), args)
    option = config.option
    option.loadgroup = given["dist"] == "loadgroup"
    option.looponfail = False
    option.dist = "no"
    option.distload = False
    option.numprocesses = None
    option.maxprocesses = None
    option.basetemp = given["basetemp"]
    pytest_private.set_program_name(config, os.path.basename(given["workerinput"]["mainargv"][0]))
    config.workerinput = forkable.workerinput  # type: ignore[attr-defined]
    config.workeroutput = {}  # type: ignore[attr-defined]
    return config


def _report(channel: Channel, error: BaseException) -> None:
    """An error that no pytest session was there to report."""
    import pytest

    if isinstance(error, pytest.UsageError):
        content: tuple[str, dict[str, Any]] = ("usage_error", {"messages": [str(arg) for arg in error.args]})
    else:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        content = ("start_error", {"text": text})
    with contextlib.suppress(Closed):
        channel.send(Kind.W_EVENT, plain.dumps(content))
