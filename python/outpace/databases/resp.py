"""A connection to a Redis server, in Redis' own protocol.

It is spoken here, and not by the project's library: those connect again by themselves, and a lease that ends with its
connection would be lost unseen.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any, BinaryIO

from .errors import DatabaseError
from .sessions import ServerError

if TYPE_CHECKING:
    from .urls import Url

_TIMEOUT = 10


class Refused(ServerError):
    """``code`` is the first word of what the server answered."""

    def __init__(self, text: str) -> None:
        super().__init__(Exception(text))
        self.code = text.split(" ", 1)[0]


class Connection:
    """Raises :class:`DatabaseError`, with the address."""

    def __init__(self, url: Url) -> None:
        self._url = url
        try:
            self._socket = _connect(url)
        except OSError as error:
            raise DatabaseError(
                f"cannot connect to {url.shown}: {error}. Start the server, or correct the address"
            ) from error
        self._file: BinaryIO = self._socket.makefile("rb")
        try:
            if url.password:
                self._enter()
        except BaseException:
            self.close()
            raise

    def _enter(self) -> None:
        try:
            self.call("AUTH", *([self._url.user] if self._url.user else []), self._url.password)
        except Refused as error:
            raise DatabaseError(
                f"the server refuses {self._url.shown}: {error}. Correct user and password"
            ) from error

    def call(self, *words: str | int) -> Any:
        """Raises :class:`Refused` for what the server does not do."""
        data = [f"*{len(words)}\r\n".encode()]
        for word in words:
            text = str(word).encode()
            data.append(b"$%d\r\n%s\r\n" % (len(text), text))
        try:
            self._socket.sendall(b"".join(data))
            answer = self._read()
        except OSError as error:
            raise DatabaseError(f"the connection to {self._url.shown} is lost: {error}") from error
        if isinstance(answer, Refused):
            raise answer
        return answer

    def _read(self) -> Any:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server has closed it")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Refused(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._file.read(size + 2)[:-2].decode("utf-8", "replace")
        if kind == b"*":
            count = int(rest)
            return None if count < 0 else [self._read() for _ in range(count)]
        raise ConnectionError(f"this is no Redis server: it answered {line[:20]!r}")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
            self._socket.close()


def _connect(url: Url) -> socket.socket:
    if url.is_socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(_TIMEOUT)
        try:
            sock.connect(url.host)
        except BaseException:
            sock.close()
            raise
        return sock
    host = url.host or "localhost"
    sock = socket.create_connection((host, int(url.port or 6379)), timeout=_TIMEOUT)
    return _context(url).wrap_socket(sock, server_hostname=host) if url.is_encrypted else sock


def _context(url: Url) -> ssl.SSLContext:
    """Of the address, the options of redis-py."""
    context = ssl.create_default_context(cafile=url.query.get("ssl_ca_certs"))
    if url.query.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "ssl_certfile" in url.query:
        context.load_cert_chain(url.query["ssl_certfile"], url.query.get("ssl_keyfile"))
    return context
