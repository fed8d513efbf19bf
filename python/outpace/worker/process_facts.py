"""What this process has open and who its children are, from /proc, or what ``/dev/fd`` can tell elsewhere.

Looks only; never opens or closes a file that the process has open (closing any descriptor of an SQLite file drops the
locks that SQLite holds on it).
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass

_SQLITE_MAGIC = b"SQLite format 3\0"
_DATABASE_SUFFIXES = (".db", ".sqlite", ".sqlite3", ".db3", ".duckdb", ".mdb", ".lmdb", "-wal", "-journal")
_Socket = socket.socket  # before a conftest can replace it
# Also those that end with another signal than SIGCHLD (`__WALL`).
_ALL_KINDS = 0x40000000
_GPU_DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/", "/dev/dxg")


@dataclass(frozen=True)
class Kind:
    """Something open that two processes cannot share."""

    code: str
    one: str
    many: str


_SOCKET = Kind("socket", "a socket", "sockets")
_DATABASE = Kind("database", "a database file", "database files")
_EVENT_LOOP = Kind("event-loop", "an event loop", "event loops")
_GPU = Kind("gpu", "a GPU", "GPUs")


def open_descriptors() -> dict[int, str]:
    """Descriptor to what it leads to: a path, or a name like ``socket:[4711]``."""
    found = {}
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            for name in os.listdir(folder):
                with suppress(OSError, ValueError):
                    found[int(name)] = _target(folder, name)
            break
    return found


def _target(folder: str, name: str) -> str:
    with suppress(OSError):
        return os.readlink(f"{folder}/{name}")
    status = os.fstat(int(name))
    return f"{'socket' if stat.S_ISSOCK(status.st_mode) else 'inode'}:[{status.st_dev}:{status.st_ino}]"


def unsafe_kind(fd: int, target: str) -> Kind | None:
    """The kind of thing that a fork must not share; None for the rest."""
    if target.startswith("socket:"):
        return _SOCKET
    if target == "anon_inode:[eventpoll]":
        return _EVENT_LOOP
    if target.startswith(_GPU_DEVICES):
        return _GPU
    if target.startswith("/") and _is_database(fd, target):
        return _DATABASE
    return None


def _is_database(fd: int, target: str) -> bool:
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return False
        return os.pread(fd, len(_SQLITE_MAGIC), 0) == _SQLITE_MAGIC or target.endswith(_DATABASE_SUFFIXES)
    except OSError:
        return target.endswith(_DATABASE_SUFFIXES)


def describe(fd: int, target: str) -> str:
    """For people: a socket by its addresses, a file by its path."""
    if not target.startswith("socket:"):
        return target
    with suppress(OSError, ValueError), _same_socket(fd) as copy:
        with suppress(OSError):
            return f"to {_address(copy.getpeername())}"
        return f"at {_address(copy.getsockname())}"
    return target


def _same_socket(fd: int) -> socket.socket:
    """Under a default timeout making the object would make the socket itself non-blocking."""
    blocking = os.get_blocking(fd)
    copy = _Socket(fileno=os.dup(fd))
    os.set_blocking(fd, blocking)
    return copy


def _address(address: object) -> str:
    if isinstance(address, tuple):
        return f"{address[0]}:{address[1]}"
    text = address.decode(errors="replace") if isinstance(address, bytes) else str(address)
    return text.replace("\0", "@") or "an unnamed peer"


def children() -> dict[int, str]:
    """Living child processes and their names, without the resource trackers, which forks may share. Linux only."""
    own, found = os.getpid(), {}
    if sys.platform != "linux" or not _has_children():
        return {}
    with suppress(OSError):
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    name, _, rest = file.read().partition("(")[2].rpartition(")")
                state, parent = rest.split()[:2]
                if int(parent) == own and state != "Z" and pid not in _resource_trackers():
                    found[pid] = name
    return found


def _has_children() -> bool:
    """One system call where looking through all processes takes milliseconds."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | _ALL_KINDS)
    except ChildProcessError:
        return False
    return True


def _resource_trackers() -> set[int | None]:
    modules = ("multiprocessing.resource_tracker", "joblib.externals.loky.backend.resource_tracker")
    trackers = (getattr(sys.modules.get(module), "_resource_tracker", None) for module in modules)
    return {getattr(tracker, "_pid", None) for tracker in trackers}


def native_threads() -> list[str]:
    """The names of the threads that the system knows, whether Python made them or not. Linux only."""
    names = []
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with suppress(OSError), open(f"/proc/self/task/{thread}/comm", encoding="utf-8") as file:
                names.append(file.read().strip())
    return names
