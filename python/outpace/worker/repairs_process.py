"""Repairs of what Python and the operating system keep per process. See :mod:`outpace.worker.repair`."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import traceback
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from outpace.worker.repair import Identity, Template

_PR_SET_PDEATHSIG = 1
_prctl: Any = None


def resolve() -> None:
    """Import in the template what the repairs need: a fork should not load libraries."""
    global _prctl
    if _prctl is None and sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            _prctl = ctypes.CDLL(None, use_errno=True).prctl


def close_fds(config: pytest.Config, identity: Identity, template: Template) -> None:
    for fd in identity.close_fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def signals(config: pytest.Config, identity: Identity, template: Template) -> None:
    """Also: a process group of its own, and SIGKILL as soon as the template is gone, even if it went just now."""
    for number, handler in template.signals.items():
        if handler is not None:
            signal.signal(number, handler)
    signal.set_wakeup_fd(-1)
    with contextlib.suppress(PermissionError):
        os.setpgid(0, 0)
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != identity.template_pid:
        os._exit(1)


def exit_handlers(config: pytest.Config, identity: Identity, template: Template) -> None:
    """Forget the handlers of the template; keep at work those of the standard library that serve the worker's own."""
    atexit._clear()
    for finalizer in list(getattr(weakref.finalize, "_registry", ())):
        finalizer.atexit = False
    exit_finalizers = getattr(weakref.finalize, "_exitfunc", None)
    if getattr(weakref.finalize, "_registered_with_atexit", False) and exit_finalizers is not None:
        atexit.register(exit_finalizers)
    for module, name in (("logging", "shutdown"), ("multiprocessing.util", "_exit_function")):
        function = getattr(sys.modules.get(module), name, None)
        if function is not None:
            atexit.register(function)


def multiprocessing(config: pytest.Config, identity: Identity, template: Template) -> None:
    """What `multiprocessing` does in its own forks."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        getattr(process, "_children", set()).clear()
    run_after_forkers = getattr(sys.modules.get("multiprocessing.util"), "_run_after_forkers", None)
    if run_after_forkers is not None:
        run_after_forkers()


def environ(config: pytest.Config, identity: Identity, template: Template) -> None:
    os.environ["PYTEST_XDIST_WORKER"] = identity.worker_id
    for variable, key in (("PYTEST_XDIST_WORKER_COUNT", "workercount"), ("PYTEST_XDIST_TESTRUNUID", "testrunuid")):
        if key in identity.workerinput:
            os.environ[variable] = str(identity.workerinput[key])


def current_event_loop() -> object:
    """The event loop that is set in this thread, if any; never makes one.

    The template keeps it alive for its forks: a loop that is dropped in a fork closes itself, and on its way takes the
    wake-up socket off the epoll object which it shares with the other processes.
    """
    policy = getattr(sys.modules.get("asyncio.events"), "_event_loop_policy", None)
    return getattr(getattr(policy, "_local", None), "_loop", None)


def asyncio(config: pytest.Config, identity: Identity, template: Template) -> None:
    """What Python >= 3.12 does itself. The thread is left as one in which no loop was ever set."""
    events = sys.modules.get("asyncio.events")
    if events is None or sys.version_info >= (3, 12):
        return
    policy = getattr(events, "_event_loop_policy", None)
    if isinstance(policy, events.BaseDefaultEventLoopPolicy):
        policy._local = type(policy._local)()
    events._set_running_loop(None)


def random(config: pytest.Config, identity: Identity, template: Template) -> None:
    template.seeds.restore_random()


def numpy(config: pytest.Config, identity: Identity, template: Template) -> None:
    template.seeds.renew_numpy()


def join_threads() -> None:
    """Wait for the threads that an ending interpreter waits for, executors of `concurrent.futures` included."""
    threading._shutdown()  # type: ignore[attr-defined]


def run_exit_handlers() -> None:
    try:
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
