"""A MariaDB or MySQL server of the tests' own: on a free port, its data in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

USER = "app"


def binaries() -> tuple[str, str, str] | None:
    """What makes the data folder, the server, the client."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    install = shutil.which("mariadb-install-db", path=path)
    server = shutil.which("mariadbd", path=path)
    client = shutil.which("mariadb", path=path)
    return (install, server, client) if install and server and client else None


class Server:
    def __init__(self, folder: Path) -> None:
        found = binaries()
        assert found is not None
        self.install, self.server, self.client = found
        self.folder, self.data, self.socket = folder, folder / "data", folder / "socket"
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        self._as: list[str] = []
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:  # the server refuses root
            user = pwd.getpwnam("nobody")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            self.user = user.pw_name

    @classmethod
    def start(cls) -> Server:
        folder = Path(tempfile.mkdtemp(prefix="my-", dir="/tmp"))  # a socket's path is short
        folder.chmod(0o755)
        server = cls(folder)
        try:
            server._start()
        except BaseException:
            server.stop()
            raise
        return server

    process: subprocess.Popen[bytes] | None = None

    def _start(self) -> None:
        made = subprocess.run(
            [
                *self._as,
                self.install,
                "--no-defaults",
                f"--datadir={self.data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--innodb-log-file-size=16M",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            timeout=120,
        )
        if made.returncode:
            sys.stderr.write(made.stdout.decode())
            raise RuntimeError("mariadb-install-db failed")
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [
                    *self._as,
                    self.server,
                    "--no-defaults",
                    f"--datadir={self.data}",
                    f"--socket={self.socket}",
                    f"--port={self.port}",
                    "--bind-address=127.0.0.1",
                    f"--pid-file={self.folder / 'pid'}",
                    "--innodb-flush-log-at-trx-commit=0",
                    "--innodb-log-file-size=16M",
                    "--innodb-buffer-pool-size=64M",
                    "--performance-schema=off",
                    "--skip-name-resolve",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        until = time.monotonic() + 60
        while True:
            try:
                self.sql("select 1")
                break
            except RuntimeError:
                if time.monotonic() > until or self.process.poll() is not None:
                    sys.stderr.write((self.folder / "log").read_text())
                    raise
                time.sleep(0.1)
        self.sql(f"create user {USER}@'127.0.0.1' identified by 'geheim'", f"grant all on *.* to {USER}@'127.0.0.1'")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, driver: str = "pymysql", *, user: str = f"{USER}:geheim") -> str:
        scheme = f"mysql+{driver}" if driver else "mysql"
        return f"{scheme}://{user}@127.0.0.1:{self.port}/{database}"

    def sql(self, *statements: str, database: str = "") -> list[str]:
        """The rows of all, columns with a tab between. Raises ``RuntimeError``."""
        command = [self.client, "--no-defaults", f"--socket={self.socket}", "-u", "root", "-BN"]
        result = subprocess.run(
            [*command, *([database] if database else [])],
            input=";\n".join(statements),
            capture_output=True,
            text=True,
            timeout=120,
        )
        if result.returncode:
            raise RuntimeError(result.stderr)
        return result.stdout.splitlines()

    def databases(self) -> list[str]:
        query = "select schema_name from information_schema.schemata where schema_name not in ('mysql', 'sys', "
        return sorted(self.sql(query + "'information_schema', 'performance_schema')"))
