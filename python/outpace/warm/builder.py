"""The first process of a chain of layers: pytest, configured up to where the session begins.

The server starts it with the environment, folder, mask and limits of a run, or has it forked from one that had come to
the conftests before (:mod:`outpace.warm.libraries`). There it forks what will be the template of runs
(:mod:`outpace.warm.collector`), before any conftest is imported. Once it is configured it forks the controllers of
runs, the first one for the run that it was made for.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

from outpace import entry, forked_start

from . import recorder, streams
from .control import Control, Waiter, apply_shell

if TYPE_CHECKING:
    import pytest

    from outpace.worker.writers import Writers

_UNKNOWN_EACH_RUN = {"randomly": "pytest-randomly", "random_order": "pytest-random-order"}


class Layer:
    """This process, while it is a layer."""

    def __init__(self, control: Control, templates: int, libraries: int) -> None:
        self.control = control
        self._libraries = libraries
        # The template's connection to the server, until it has been forked.
        self.templates = templates
        # Controllers that are running, by process id, and who asked for them.
        self.launchers: dict[int, Control] = {}
        self.environ = dict(os.environb)
        self.cwd = os.getcwd()
        # What was open for writing before any run was forked.
        self.writers: Writers | None = None

    def refuse(self, why: str, config: pytest.Config | None = None) -> NoReturn:
        """Nothing can be forked from here; what was read says for how long that holds."""
        fds = []
        if config is not None:
            with contextlib.suppress(recorder.NotRecordable):
                fds = [recorder.settle(config)]
        self.control.send("unusable", fds, why=why)
        os._exit(0)

    def enter(self, control: Control, templates: int) -> None:
        """As a fork with connections of its own."""
        self.control, self.templates = control, templates

    def fork_template(self, config: pytest.Config) -> None:
        """Before conftests are imported. Returns in the process that imports them to be configured."""
        from . import collector, libraries

        why = _unsuitable_early(config) or forked_start.obstacle(config)
        if why is not None:
            self.refuse(why, config)
        libraries.hold(self, config, self._libraries)
        os.set_inheritable(self.control.fileno(), False)
        args = [str(arg) for arg in config.invocation_params.args]
        sys.stdout.flush()
        parent = os.getpid()
        pid = forked_start.fork()  # native threads are their library's to care for
        if pid:
            os.close(self.templates)
            return
        entry.layer = None
        self.control.close()
        forked_start.be_child_of(parent)
        fd, environ, cwd = self.templates, self.environ, self.cwd
        raise forked_start.unwound(lambda fd: collector.main(fd, args, environ, cwd), fd)

    def hold(self, config: pytest.Config) -> None:
        """Fork runs; returns in each of these."""
        from outpace.worker.writers import Writers

        from . import leading

        why = unsuitable(config)
        if why is not None:
            self.refuse(why, config)
        import_ahead()
        if config.option.numprocesses in ("auto", "logical", None):
            with contextlib.suppress(ImportError):
                importlib.import_module("psutil")  # what xdist counts processors with
        try:
            record = recorder.settle(config)
        except recorder.NotRecordable as error:
            self.refuse(str(error))
        self.writers = Writers.freeze_heap((), (self.control.fileno(), record))
        self.control.send("ready", [record], leading=leading.found(config))
        os.close(record)
        forked_start.die_with_parent(wanted=False)  # runs that go on still have to be told how they ended
        self.waiter = Waiter(self.control)
        launchers = self.launchers
        ending = False
        while not ending or launchers:
            ready, ended = self.waiter.wait()
            for pid, status in ended.items():
                self._tell_end(pid, status)
            for pid, launcher in list(launchers.items()):
                if launcher.fileno() in ready:
                    self._obey(launcher, pid)
            if self.control.fileno() in ready:
                message = self.control.receive()
                if message is None or message[0]["kind"] == "retire":
                    ending = True
                    self.waiter.drop(self.control)
                elif self._run(config, *message):
                    return
        os._exit(0)

    def _tell_end(self, pid: int, status: int) -> None:
        launcher = self.launchers.pop(pid, None)
        if launcher is not None:
            self.waiter.drop(launcher)
            self.control.send("over")  # before anybody can ask what comes after it
            launcher.send("ended", status=_code(status))
            launcher.close()

    def _obey(self, launcher: Control, pid: int) -> None:
        message = launcher.receive()
        if message is None:
            # Whoever asked for the run is gone, and with it who would have ended it.
            self.waiter.drop(launcher)
            os.kill(pid, signal.SIGKILL)
            return
        number = message[0]["number"]
        # The kernel does not stop an orphaned process group for the terminal's sake.
        os.kill(pid, signal.SIGSTOP if number == signal.SIGTSTP else number)

    def _run(self, config: pytest.Config, message: dict[str, Any], fds: list[int]) -> bool:
        """True in the run's own process."""
        *real, launcher_fd, coordinator, given = fds
        launcher = Control(launcher_fd)
        launcher.send("started")
        try:
            pid = forked_start.fork()
        except OSError:
            launcher.send("ended", status=3)
            self.control.send("over")
            return False
        if pid:
            for fd in (*real, coordinator, given):
                os.close(fd)
            self.launchers[pid] = launcher
            self.waiter.add_child(pid)
            self.waiter.add(launcher)
            return False
        os.setpgid(0, 0)
        self.waiter.close()
        for each in (self.control, launcher, *self.launchers.values()):
            each.close()
        _become_controller(config, message, real, coordinator, given)
        return True

    def end_run(self, code: int) -> NoReturn:
        """As the interpreter would end, but for the teardown of modules: it copies what is shared with the layer."""
        from outpace.worker import repairs_process, writers

        assert self.writers is not None
        repairs_process.join_threads()
        repairs_process.run_exit_handlers()
        writers.flush_all(self.writers)
        os._exit(code)


def _become_controller(
    config: pytest.Config, message: dict[str, Any], real: list[int], coordinator: int, given: int
) -> None:
    from outpace import plugin
    from outpace.worker.repairs_pytest import renew_captures

    from .run import Connected

    entry.layer = None
    streams.enter(dict(enumerate(real)))
    renew_captures(config, with_content=True)
    for number in message["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    apply_shell(message["env"])
    entry.note = f"warm: {message['note']}"
    plugin.give_coordinator(config, Connected(coordinator, given))


def import_ahead() -> None:
    """What every run imports of outpace and of xdist once it begins."""
    names = ["outpace.controller.session", "outpace.warm.run", "xdist.report"]
    names += ["outpace.worker.repairs_process", "outpace.worker.repairs_pytest"]
    for name in names:
        importlib.import_module(name)


def _code(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


# ---------------------------------------------------------------- why not


def _unsuitable_early(config: pytest.Config) -> str | None:
    """Before plugins have begun their work: what the command line and settings say."""
    from outpace import plugin

    known = config.known_args_namespace
    if not plugin.will_distribute(known):
        return "not a parallel run"
    if plugin.start_method(config) == "spawn":
        return "start method spawn"
    if getattr(known, "usepdb", False) or getattr(known, "trace", False):
        return "a debugger needs the terminal"
    if getattr(known, "cov_source", None):
        return "its coverage is measured"
    return None


def unsuitable(config: pytest.Config) -> str | None:
    """Why this configured process cannot be shared by runs."""
    from outpace import marks
    from outpace.controller import shown
    from outpace.worker import detect, process_facts

    settings = marks.settings_of(config)
    if shown.shows_streams(config) or shown.shows_log(config) or shown.followed(config):
        return "its output is shown as it comes"
    if config.option.usepdb if hasattr(config.option, "usepdb") else False:
        return "a debugger needs the terminal"
    if settings.databases:
        return "databases are prepared for each run"
    for name, plugin in _UNKNOWN_EACH_RUN.items():
        if config.pluginmanager.hasplugin(name):
            return f"{plugin} orders each run anew"
    if getattr(config.option, "log_file", None) or config.getini("log_file"):
        return "a log file is written"
    if forked_start.is_traced():
        return "this process is traced"
    for finding in (*detect.threads(), *detect.libraries()):
        return f"{finding.message} once conftests are imported"
    return _unshared(process_facts.children(), config)


def _unshared(children: dict[int, str], config: pytest.Config) -> str | None:
    from outpace.worker import process_facts

    for pid, name in children.items():
        if f"{pid}" not in _own_children():
            return f"a child process is alive: {name}"
    for fd, target in process_facts.open_descriptors().items():
        if entry.layer is not None and fd == entry.layer.control.fileno():
            continue
        kind = process_facts.unsafe_kind(fd, target) if fd > 2 else None
        if kind is not None:
            return f"{kind.one} is open: {process_facts.describe(fd, target)}"
    return unshared_exits(config)


def _own_children() -> set[str]:
    """The template's."""
    with contextlib.suppress(OSError), open("/proc/self/task/%d/children" % os.getpid()) as file:  # noqa: UP031
        return set(file.read().split()[:1])
    return set()


def unshared_exits(config: pytest.Config) -> str | None:
    """What the first run would take away from the next one when it ends."""
    root = os.path.join(str(config.rootpath), "")
    for name in recorder.exits:
        if name.startswith(root):
            return f"{os.path.relpath(name, root)} registers a function for the end of the process"
    folders = recorder.temporary_folders()
    return f"a temporary folder is removed at the end: {folders[0]}" if folders else None


# ---------------------------------------------------------------- the start

def _number(limit: int | None) -> int:
    return resource.RLIM_INFINITY if limit is None else limit


def main() -> int:
    configured, templates, libraries, mask, limits, program, _, *args = sys.argv[1:]
    sys.argv[1:] = args
    os.umask(int(mask))
    streams.install()
    forked_start.die_with_parent(wanted=True)
    for number, (soft, hard) in enumerate(json.loads(limits)):
        limit = _number(soft), _number(hard)
        if resource.getrlimit(number) != limit:
            try:
                resource.setrlimit(number, limit)
            except (OSError, ValueError):
                Control(int(configured)).send("unusable", why="the limits of the server are lower")
                return 1
    control = Control(int(configured))
    os.set_inheritable(control.fileno(), True)  # else it is a connection that a plugin holds
    layer = entry.layer = Layer(control, int(templates), int(libraries))
    recorder.install()
    code = 3
    try:
        code = entry.main(program=program or None)
    except Exception:
        traceback.print_exc()
    finally:
        if entry.layer is not None:
            streams.to_log()
    if entry.layer is None:
        layer.end_run(code)
    return code
