"""A PostgreSQL server of the tests' own: an ordinary user's, on a free port, its data in a temporary folder."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

USER = "app"


def binaries() -> Path | None:
    """The newest installed server's folder."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    initdb = found[-1] if found else shutil.which("initdb")
    return Path(os.path.realpath(initdb)).parent if initdb else None


class Cluster:
    def __init__(self, folder: Path, bin_: Path) -> None:
        self.folder, self.bin = folder, bin_
        self.data, self.sockets = folder / "data", folder
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        self._as: list[str] = []
        if os.geteuid() == 0:  # initdb refuses root
            user = pwd.getpwnam("nobody")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    @classmethod
    def start(cls) -> Cluster:
        bin_ = binaries()
        assert bin_ is not None
        folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is short
        folder.chmod(0o755)
        cluster = cls(folder, bin_)
        try:
            cluster._run("initdb", "-D", str(cluster.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
            options = (
                f"-p {cluster.port} -c listen_addresses=127.0.0.1 -k {cluster.sockets} -c fsync=off "
                "-c max_connections=100 -c shared_buffers=64MB"
            )
            cluster._run("pg_ctl", "-D", str(cluster.data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cluster

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, name: str, *args: str) -> None:
        command = [*self._as, str(self.bin / name), *args]
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", timeout=120
        )
        if result.returncode:
            sys.stderr.write(result.stdout.decode())
            raise RuntimeError(f"{name} failed")

    def url(self, database: str = "postgres", driver: str = "", *, user: str = USER) -> str:
        return f"postgresql{'+' if driver else ''}{driver}://{user}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = "postgres", driver: str = "") -> str:
        scheme = f"postgresql{'+' if driver else ''}{driver}"
        return f"{scheme}://{USER}@/{database}?host={self.sockets}&port={self.port}"

    def sql(self, *statements: str, database: str = "postgres") -> list[str]:
        """The rows of the last one, columns with ``|`` between."""
        command = [str(self.bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", self.url(database)]
        for statement in statements:
            command += ["-c", statement]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines()

    def databases(self) -> list[str]:
        query = "select datname from pg_database where not datistemplate and datname <> 'postgres' order by 1"
        return self.sql(query)
