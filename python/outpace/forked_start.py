"""Starting coordinator and template by forking this process, which has imported pytest and its plugins already.

A fresh interpreter for the template would import the same modules once more: some 200 ms that the run then waits for.
So this process forks a child that forks again and becomes the coordinator's binary; the grandchild, the coordinator's
own child from then on, unwinds its stack to the bottom and is the template. It has run nothing of the project's yet.

Where this process may be more than a pytest that has just started, :func:`obstacle` says so and the template is a fresh
interpreter. Nothing here is needed for correctness.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from . import entry

if TYPE_CHECKING:
    import pytest

_PROGRAMS = ("pytest", "py.test")
_WORKER_VARIABLE = b"PYTEST_XDIST_WORKER"
# They ask for the worker's id in functions, not when they are imported.
_HARMLESS = ("_pytest.", "outpace.", "xdist.", "pytest_cov.")

_SHARED = ("socket:", "pipe:", "anon_inode:")

_configurations = 0


class _Unwind(BaseException):
    """Carries the template out of every frame that the controller has entered."""


def note_configuration() -> None:
    """One more ``Config`` is being made in this process."""
    global _configurations
    _configurations += 1


def obstacle(config: pytest.Config) -> str | None:
    """Why the template must be a fresh interpreter; None when it can be a fork of this process."""
    if sys.platform != "linux" or not os.path.isdir("/proc/self/task"):
        return "not on this platform, or without /proc"
    if _configurations != 1:
        return "pytest ran in this process before"
    if not is_program():
        return "pytest was called by another program"
    if threading.current_thread() is not threading.main_thread() or len(os.listdir("/proc/self/task")) > 1:
        return "there are threads"
    if is_traced():
        return "this process is traced"
    if "gevent" in sys.modules or "eventlet" in sys.modules:
        return "a library has replaced what a fork relies on"
    if any(target.startswith(_SHARED) and not os.get_inheritable(fd) for fd, target in _descriptors().items()):
        return "a plugin holds a connection"
    for plugin in config.pluginmanager.get_plugins():
        if names_worker(plugin):
            return f"{plugin.__name__} may read the worker's id as it is imported"
    return None


def is_program() -> bool:
    """Whether pytest's own command is what this process was started for."""
    if entry.is_entered:
        return True
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        name: str = spec.name
        return name in ("pytest.__main__", "pytest")
    file = getattr(main, "__file__", None)  # absolute, where `sys.argv` may not be
    if file is None or os.path.basename(file) not in _PROGRAMS:
        return False
    return os.path.abspath(str(file)) == os.path.abspath(sys.argv[0])


def is_traced() -> bool:
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and any(monitoring.get_tool(tool) is not None for tool in range(6))


def _descriptors() -> dict[int, str]:
    """What is open beyond the standard streams, and what it leads to."""
    from .worker.process_facts import open_descriptors

    return {fd: target for fd, target in open_descriptors().items() if fd > 2}


def names_worker(plugin: object) -> bool:
    """Whether its source does, and so may ask for it as it is imported."""
    name, file = getattr(plugin, "__name__", ""), getattr(plugin, "__file__", None)
    if not file or not file.endswith(".py") or f"{name}.".startswith(_HARMLESS):
        return False
    with contextlib.suppress(OSError), open(file, "rb") as source:
        return _WORKER_VARIABLE in source.read()
    return False


class Child:
    """What is used of ``subprocess.Popen``, for a process that was forked here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, as ``Popen.wait`` gives it, or ``subprocess.TimeoutExpired``."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, 0 if until is None else os.WNOHANG)
            except ChildProcessError:  # somebody else in this process has waited for it
                pid, status = self.pid, 0
            if pid:
                self.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            elif until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("outpace", timeout or 0.0)
            else:
                time.sleep(0.001)
        return self.returncode

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


def start(binary: str, coordinator: socket.socket, become_template: Callable[[int], object]) -> Child:
    """Fork the coordinator, which gets the socket ``coordinator``, and its template.

    Returns in this process only. In the template the stack is unwound, and then ``become_template`` called with the
    descriptor of its socket.
    """
    coordinators_end, templates_end = socket.socketpair()
    with coordinators_end, templates_end:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()
        pid = os.fork()
        if pid == 0:
            _become_coordinator(binary, coordinator, coordinators_end, templates_end, become_template)
    return Child(pid)


def _become_coordinator(
    binary: str,
    coordinator: socket.socket,
    coordinators_end: socket.socket,
    templates_end: socket.socket,
    become_template: Callable[[int], object],
) -> None:
    unwind = None
    try:
        parent = os.getpid()
        template = os.fork()
        _detach_streams()
        if template == 0:
            fd = templates_end.detach()
            coordinators_end.close()
            coordinator.close()
            _close_inherited()
            be_child_of(parent)
            unwind = unwound(become_template, fd)
        else:
            _close_inherited()
            kept = coordinator.fileno(), coordinators_end.fileno()
            for fd in kept:
                os.set_inheritable(fd, True)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.execv(binary, [binary, "__coordinate", str(kept[0]), str(template), str(kept[1])])
    finally:
        if unwind is None:
            os._exit(127)
    raise unwind


def _detach_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _close_inherited() -> None:
    """What this process was itself handed at its start, and would hand on: not for the run's processes."""
    for fd in _descriptors():
        if os.get_inheritable(fd):
            os.close(fd)


def fork() -> int:
    """``os.fork`` of a process in which there may be native threads of libraries: whoever calls has judged them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def be_child_of(parent: int) -> None:
    """As the coordinator starts its other processes: a group of its own, and the parent's death is its own."""
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    die_with_parent(wanted=True)
    if os.getppid() != parent:
        os._exit(1)


def die_with_parent(*, wanted: bool) -> None:
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL if wanted else 0, 0, 0, 0)  # PR_SET_PDEATHSIG


def unwound(become: Callable[[int], object], fd: int) -> BaseException:
    """What is to be raised, for ``become`` to be called with ``fd`` once every frame has been left."""
    entry.note = None  # of the controller's session, and of none that a test makes
    at_the_bottom, warn = _at_the_bottom, warnings.warn
    # Hooks that are left by an exception are warned of.
    warnings.warn = lambda *_, **__: None
    sys.excepthook = _of_main(lambda kind, error, trace: at_the_bottom(error, become, fd, warn))
    return _Unwind()


def _of_main(function: Any) -> Any:
    """The same function as code of ``__main__``, where code that walks up the stack expects it to end."""
    return FunctionType(function.__code__, vars(sys.modules["__main__"]), "<module>", None, function.__closure__)


def _at_the_bottom(error: BaseException, become_template: Callable[[int], object], fd: int, warn: Any) -> None:
    """Called by the interpreter when :class:`_Unwind` has left the last frame. It may end with `sys.exit`."""
    warnings.warn = warn
    if isinstance(error, _Unwind):
        sys.excepthook = sys.__excepthook__
        if error.__traceback__ is not None:
            traceback.clear_frames(error.__traceback__)
            error.__traceback__ = None
        for name in ("last_exc", "last_type", "last_value", "last_traceback"):
            vars(sys).pop(name, None)
        become_template(fd)
