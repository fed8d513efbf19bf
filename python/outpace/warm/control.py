"""Messages between a layer, the server and launchers: JSON on a socket that keeps them apart, some with descriptors."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
from collections.abc import Sequence
from typing import Any

_MOST = 64 * 1024
_recv_fds = socket.recv_fds
_send_fds = socket.send_fds
_Socket = socket.socket


class Control:
    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self._socket = _Socket(fileno=fd)
        self._socket.setblocking(True)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: str, fds: Sequence[int] = (), **message: Any) -> None:
        """To somebody who may be gone."""
        with contextlib.suppress(OSError):
            _send_fds(self._socket, [json.dumps({"kind": kind, **message}).encode()], fds)

    def receive(self) -> tuple[dict[str, Any], list[int]] | None:
        """None at the end."""
        try:
            data, fds, _, _ = _recv_fds(self._socket, _MOST, 16)
        except OSError:
            return None
        return (json.loads(data), list(fds)) if data else None

    def close(self) -> None:
        self._socket.close()


class Waiter:
    """Waits for messages and for children that end."""

    def __init__(self, *controls: Control) -> None:
        self._poll = select.poll()
        self.children: dict[int, int] = {}
        for control in controls:
            self._poll.register(control, select.POLLIN)

    def add(self, control: Control) -> None:
        self._poll.register(control, select.POLLIN)

    def drop(self, control: Control) -> None:
        with contextlib.suppress(KeyError):
            self._poll.unregister(control)

    def add_child(self, pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        self.children[pidfd] = pid
        self._poll.register(pidfd, select.POLLIN)

    def wait(self) -> tuple[set[int], dict[int, int]]:
        """Descriptors to be read, and wait statuses of children that have ended."""
        ready = {fd for fd, _ in self._poll.poll()}
        ended = {}
        for pidfd in ready & self.children.keys():
            pid = self.children.pop(pidfd)
            self._poll.unregister(pidfd)
            os.close(pidfd)
            ended[pid] = os.waitpid(pid, 0)[1]
        return ready, ended

    def close(self) -> None:
        """In a fork."""
        for pidfd in self.children:
            os.close(pidfd)
        self.children.clear()


def apply_shell(variables: Sequence[Sequence[str]]) -> None:
    """What the shell says of itself (the server's `OF_THE_SHELL`) is the caller's."""
    for name in OF_THE_SHELL:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in variables})  # noqa: C416


OF_THE_SHELL = ("SHLVL", "_", "OLDPWD", "WINDOWID", "OUTPACE_WATCH")
