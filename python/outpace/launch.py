"""Finding and starting the coordinator: the ``outpace`` binary of the same wheel."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import __version__, forked_start
from .wire import Channel, Closed, Frame, Kind, WireError

# A binary to use in place of the installed one; for working on outpace itself.
BINARY = "OUTPACE_BINARY"
# The descriptor of their socket, for the processes that the coordinator starts.
SOCKET = "OUTPACE_SOCKET"

_PACKAGES = str(Path(__file__).resolve().parent.parent)
_CODE = f"import sys; sys.path[:1] = [{_PACKAGES!r}]; from outpace.worker.bootstrap import main; main()"


# Set while this process, a template or worker, makes its configuration: it then starts no coordinator of its own.
_configuring_worker = False


def is_configuring_worker() -> bool:
    return _configuring_worker


@contextlib.contextmanager
def configuring_worker() -> Iterator[None]:
    global _configuring_worker
    _configuring_worker = True
    try:
        yield
    finally:
        _configuring_worker = False


class LaunchError(Exception):
    """The coordinator cannot serve this run; the message says what to do."""


def find_binary() -> str:
    named = os.environ.get(BINARY)
    if named:
        if not os.access(named, os.X_OK):
            raise LaunchError(f"{BINARY}={named} is not an executable file")
        return named
    schemes = [sysconfig.get_path("scripts")]
    user_scheme = {"posix": "posix_user"}.get(os.name)
    if user_scheme:
        schemes.append(sysconfig.get_path("scripts", user_scheme))
    schemes.append(os.path.dirname(sys.executable))
    # `pip install --target`: the scripts lie beside the package.
    schemes.append(os.path.join(_PACKAGES, "bin"))
    for folder in schemes:
        candidate = os.path.join(folder, "outpace")
        if os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which("outpace")
    if found:
        return found
    raise LaunchError(
        f"the outpace binary is missing (looked in {', '.join(dict.fromkeys(schemes))} and on PATH): "
        f"reinstall with `{sys.executable} -m pip install --force-reinstall outpace`, "
        "or run with `-p no:outpace` for plain xdist"
    )


def python_command() -> list[str]:
    """How a template or spawned worker is started: this interpreter, its flags, no script."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, "-u", "-c", _CODE]


class Coordinator:
    """The controller's connection to the coordinator process."""

    def __init__(self, *, forked_with: list[str] | None = None) -> None:
        """``forked_with``: the session's arguments, if its template is to be a fork of this process
        (:mod:`outpace.forked_start`)."""
        ours, theirs = socket.socketpair()
        ours.setblocking(True)  # whatever `socket.setdefaulttimeout` says
        try:
            binary = find_binary()
            self.process = (
                self._start(binary, theirs) if forked_with is None else self._fork(binary, ours, theirs, forked_with)
            )
        except OSError as error:
            raise LaunchError(f"the outpace binary could not be started: {error}") from error
        finally:
            theirs.close()
        self.channel = Channel(ours.detach())
        with contextlib.suppress(Closed):  # then `welcome` tells of it
            self.send(Kind.HELLO, version=__version__)
            self.send(Kind.TEMPLATE, argv=python_command())
        self.cpu_quota: int | None = None
        self.cpus = ""

    @staticmethod
    def _start(binary: str, theirs: socket.socket) -> subprocess.Popen[bytes] | forked_start.Child:
        return subprocess.Popen(
            [binary, "__coordinate", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    @staticmethod
    def _fork(binary: str, ours: socket.socket, theirs: socket.socket, args: list[str]) -> forked_start.Child:
        def become_template(fd: int) -> None:
            from .worker import bootstrap

            ours.close()
            bootstrap.serve(fd, args)

        return forked_start.start(binary, theirs, become_template)

    def welcome(self) -> None:
        """Waits for the coordinator's first word; refuses one of another version."""
        if self.cpus:
            return
        try:
            first = self.channel.receive()
        except (Closed, WireError) as error:
            raise LaunchError(f"the outpace binary ended at once (exit code {self.process.wait()})") from error
        content = json.loads(first.payload)
        if first.kind != Kind.WELCOME:
            self.close()
            raise LaunchError(content.get("message", f"unexpected answer {first.kind}"))
        self.cpu_quota, self.cpus = content["cpu_quota"], content["cpus"]

    def send(self, kind: int, **message: Any) -> None:
        self.channel.send(kind, json.dumps(message).encode())

    def send_worker(self, number: int, data: bytes) -> None:
        self.channel.send(Kind.WORKER, number.to_bytes(4, "little"), data)

    def receive(self, wait: Callable[[int], object]) -> Frame:
        """The next message; ``wait`` is called with the descriptor before a read that may block."""
        frame = self.channel.pending()
        if frame is None:
            wait(self.channel.fd)
            frame = self.channel.receive()
        return frame

    def close(self) -> None:
        """Ends the coordinator, which ends whatever is left of the run."""
        self.channel.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
