"""The plugin of a worker in a sandbox: which test wrote what, and why a test may have failed for the sandbox's sake.

Registered only where there is a sandbox.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from outpace import pytest_private

from . import sandbox_writes

if TYPE_CHECKING:
    from .sandbox import Sandbox
    from .session import WorkerSession

# Looking at what was written may take these seconds of CPU time, and then this share of the time that goes by.
_FREE, _SHARE = 0.1, 0.02

_UNREACHED = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.ECONNRESET, errno.EADDRNOTAVAIL)
_UNREACHED_TEXTS = (
    "network is unreachable",
    "connection refused",
    "connection reset",
    "could not connect",
    "failed to establish a new connection",
    "name or service not known",
    "temporary failure in name resolution",
    "no address associated with hostname",
    "could not translate host name",
    "nodename nor servname",
)
_RIGHTS_TEXTS = ("operation not permitted", "must be superuser", "setgroups: invalid argument")
_OF_USERS = frozenset({"chown", "fchown", "lchown", "setuid", "setgid", "seteuid", "setegid", "setreuid", "setresuid"})
# Of what a test printed, the end.
_MOST_TEXT = 20_000
_NOTES = {
    "ports": "This worker has its own loopback and no other network ({how}): it reaches what it started itself, and "
    'what is named in [tool.outpace.isolate]: expose = ["HOST:PORT", "HOST:PORT/udp", "@abstract"]. {exposed}',
    "socket": "This worker has temporary folders of its own ({how}), with no sockets but its tests' own: one from "
    'outside must be named in [tool.outpace.isolate]: expose = ["/path/of/the.sock"]. {exposed}',
    "device": "This worker's folders are mounts of its own ({how}): a file cannot be moved between them, nor, for an "
    "ordinary user, a folder that was there before. shutil.move copies.",
    "space": "This worker's writes are kept in memory ({how}), of which there is no more.",
    "rights": "This worker is in a user namespace of its own ({how}), in which only its own user and group exist: "
    "changing users or owners, mounting, and tracing what is outside are not possible. A test that needs them must run "
    "without.",
}


class SandboxWatch:
    """A test that passes costs three calls of plain functions, as wrappers cost several times more; what it takes to
    tell of a failure is registered with the first one."""

    def __init__(self, sandbox: Sandbox, worker: WorkerSession) -> None:
        self.sandbox = sandbox
        self.worker = worker
        self.worker_id = str(worker.config.workerinput["workerid"])  # type: ignore[attr-defined]
        # What has raised, until it is reported.
        self.failed: pytest.CallInfo[Any] | None = None
        self._explains = False

    def leave(self) -> None:
        """At the very end of the process, when nobody writes any more."""

    # -- why a test failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[Any]) -> None:
        if call.excinfo is not None and not isinstance(call.excinfo.value, pytest.skip.Exception):
            self.failed = call
            if not self._explains:
                self._explains = True
                self.worker.config.pluginmanager.register(_Explanations(self))

    def notes(self, error: BaseException, report: Any) -> list[str]:
        kinds = self.sandbox.kinds
        found = {}
        names = [_kind_of(each) for each in _chain(error)]
        names += [_kind_of_text(text[-_MOST_TEXT:].lower()) for _, text in report.sections]
        for name in names:
            if name == "ports" and "ports" in kinds:
                found["ports"] = True
            elif (
                (name in ("device", "space") and ("files" in kinds or "tmp" in kinds))
                or (name == "rights" and self.sandbox.has_user_namespace)
                or (name == "socket" and "tmp" in kinds)
            ):
                found[name] = True
        how = f"--isolate={','.join(kinds)}"
        reached = [*self.sandbox.given["targets"], *self.sandbox.given["paths"]]
        exposed = f"Exposed: {', '.join(reached)}." if reached else "Nothing is exposed."
        return [_NOTES[name].format(how=how, exposed=exposed) for name in found]


class _Explanations:
    def __init__(self, watch: SandboxWatch) -> None:
        self._watch = watch

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        call, self._watch.failed = self._watch.failed, None
        if call is not None and report.failed and call.when == report.when and call.excinfo is not None:
            for text in self._watch.notes(call.excinfo.value, report):
                pytest_private.add_section(report, "outpace: isolated", text)


class WritesWatch(SandboxWatch):
    """Where the project's files are the worker's own, also of what was written."""

    def __init__(self, sandbox: Sandbox, worker: WorkerSession, upper: int, root: int) -> None:
        super().__init__(sandbox, worker)
        patterns = sandbox.given["pass"]
        self._upper, self._root = upper, root
        self.writes = sandbox_writes.Writes(upper, patterns)
        self.passing = sandbox_writes.Passing(upper, root, patterns, sandbox.since)
        self._began = time.monotonic()
        self._spent = 0.0
        # Tests since the last look.
        self._since: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        if self.writes.is_untouched:
            return
        self._since[1:] = [nodeid]
        if self._spent < _FREE or self._spent < _SHARE * (time.monotonic() - self._began):
            self._look()

    def _look(self) -> None:
        began = time.thread_time()
        paths = self.writes.look()
        if paths:
            self.worker.reporting.event("written", tests=self._since, paths=paths)
        self._since = []
        self._spent += time.thread_time() - began

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, None]:
        """The innermost wrapper: before the worker says goodbye."""
        yield
        if not self.worker.begins_anew:
            self._look()
            contested = self.passing.write_back()
            if contested:
                self.worker.reporting.event("contested", paths=contested)

    def leave(self) -> None:
        if self.worker.begins_anew:
            return
        self.passing.write_back()
        given = self.sandbox.given
        if given["keep"]:
            folder = os.path.join(given["keep"], self.worker_id)
            sandbox_writes.keep(self._upper, self._root, given["pass"], folder)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and what it was raised in the handling of; those of groups as well."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen or len(seen) > 100:
            continue
        seen.add(id(each))
        yield each
        pending += [each.__cause__, each.__context__]
        inner = getattr(each, "exceptions", ())
        pending += [one for one in inner if isinstance(one, BaseException)] if isinstance(inner, tuple) else []


def _kind_of(error: BaseException) -> str | None:
    if isinstance(error, socket.gaierror):
        return "ports"
    if isinstance(error, OSError) and error.errno is not None:
        number = error.errno
        if number in _UNREACHED:
            return "ports"
        if number == errno.ENOENT and error.filename is None and "connect" in _last_calls(error):
            return "socket"
        if number == errno.EXDEV:
            return "device"
        if number == errno.ENOSPC:
            return "space"
        # EINVAL is what the kernel says of a user that does not exist in the namespace.
        if number == errno.EPERM or (number == errno.EINVAL and _OF_USERS & _last_calls(error)):
            return "rights"
    try:
        return _kind_of_text(str(error)[-_MOST_TEXT:].lower())
    except Exception:
        return None


def _kind_of_text(text: str) -> str | None:
    if any(each in text for each in _UNREACHED_TEXTS):
        return "ports"
    return "rights" if any(each in text for each in _RIGHTS_TEXTS) else None


def _last_calls(error: BaseException) -> frozenset[str]:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return frozenset(trace.tb_frame.f_code.co_names) if trace is not None else frozenset()
