"""A Redis server of the tests' own: on a free port, its data nowhere."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path


def binary() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


class Server:
    def __init__(self, *options: str) -> None:
        found = binary()
        assert found is not None
        self.folder = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
        self.socket = self.folder / "socket"
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        command = [found, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--unixsocket", str(self.socket), "--dir", str(self.folder), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                if time.monotonic() > until or self.process.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, number: int | str = 0, *, user: str = "") -> str:
        return f"redis://{user}{'@' if user else ''}127.0.0.1:{self.port}/{number}"

    def call(self, *words: str, number: int = 0) -> str:
        """What a client sees; in one line each."""
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            for command in (("SELECT", str(number)), words):
                sock.sendall(f"*{len(command)}\r\n".encode())
                for word in command:
                    sock.sendall(f"${len(word.encode())}\r\n{word}\r\n".encode())
            sock.sendall(b"*2\r\n$4\r\nECHO\r\n$5\r\n-end-\r\n")
            data = b""
            while not data.endswith(b"$5\r\n-end-\r\n"):
                part = sock.recv(65536)
                if not part:
                    break
                data += part
        return data.decode().removeprefix("+OK\r\n").removesuffix("$5\r\n-end-\r\n")

    def keys(self) -> dict[int, int]:
        """How many there are, by database."""
        lines = self.call("INFO", "keyspace").split()
        found = (line[2:].split(":keys=") for line in lines if line.startswith("db"))
        return {int(number): int(rest.split(",")[0]) for number, rest in found}

    def flush(self) -> None:
        self.call("FLUSHALL")
