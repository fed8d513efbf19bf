"""What a worker wrote into its private copy of the project's folder: found, let through, or kept for inspection.

The overlay's upper folder holds every write, whoever made it. It is reached by descriptor only. Nothing here knows of
tests or reports.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from outpace.isolation import passes

# A clock of a file system is behind by up to a tick of the kernel.
_TICK = 0.02


class Entry(NamedTuple):
    path: str
    """Relative to the project's folder."""
    mode: int
    device: int
    changed: int

    @property
    def is_deletion(self) -> bool:
        """The overlay's mark for a file that is there below, and is not to be seen."""
        return stat.S_ISCHR(self.mode) and self.device == 0


def entries(upper: int) -> Iterator[Entry]:
    """Everything but folders. Depth first."""
    base = f"/proc/self/fd/{upper}"
    pending = [""]
    while pending:
        folder = pending.pop()
        with contextlib.suppress(OSError), os.scandir(os.path.join(base, folder)) as found:
            for each in found:
                path = os.path.join(folder, each.name)
                with contextlib.suppress(OSError):
                    status = each.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        pending.append(path)
                    else:
                        yield Entry(path, status.st_mode, status.st_rdev, status.st_ctime_ns)


class Writes:
    """What is new since the last look."""

    def __init__(self, upper: int, patterns: Sequence[str]) -> None:
        self.upper = upper
        self.patterns = patterns
        self._known: dict[str, int] = {}
        # A folder in memory has the size of its entries.
        self._empty = os.fstat(upper).st_size

    @property
    def is_untouched(self) -> bool:
        """Nothing was ever written. Costs next to nothing."""
        return not self._known and os.fstat(self.upper).st_size == self._empty

    def look(self) -> list[str]:
        new: list[str] = []
        if self.is_untouched:
            return new
        for entry in entries(self.upper):
            if self._known.get(entry.path) != entry.changed:
                self._known[entry.path] = entry.changed
                if not passes(entry.path, self.patterns):
                    new.append(entry.path + (" (deleted)" if entry.is_deletion else ""))
        return sorted(new)


class Passing:
    """Writes back what is let through; at the end of the session, and once more at that of the process."""

    def __init__(self, upper: int, root: int, patterns: Sequence[str], since: float) -> None:
        self.upper = upper
        self.root = root
        self.patterns = patterns
        self.since = since
        self._done: dict[str, int] = {}

    def write_back(self) -> list[str]:
        """Returns what somebody else had changed meanwhile, and which is now as this worker left it."""
        contested = []
        for entry in list(entries(self.upper)):
            if self._done.get(entry.path) == entry.changed or not passes(entry.path, self.patterns):
                continue
            source, target = f"/proc/self/fd/{self.upper}/{entry.path}", f"/proc/self/fd/{self.root}/{entry.path}"
            with contextlib.suppress(OSError):
                if entry.is_deletion:
                    _remove(target)
                elif entry.path in self._done or not _changed_since(target, self.since):
                    _copy(source, target, entry.mode)
                elif not _same(source, target) and "__pycache__" not in entry.path:
                    contested.append(entry.path)
                    _copy(source, target, entry.mode)
            self._done[entry.path] = entry.changed
        return sorted(contested)


def keep(upper: int, root: int, patterns: Sequence[str], folder: str) -> None:
    """Copy what is thrown away into a folder of the real project."""
    place = os.path.join(f"/proc/self/fd/{root}", folder)
    shutil.rmtree(place, ignore_errors=True)
    for entry in list(entries(upper)):
        if not entry.is_deletion and not passes(entry.path, patterns):
            with contextlib.suppress(OSError):
                _copy(f"/proc/self/fd/{upper}/{entry.path}", os.path.join(place, entry.path), entry.mode)


def _changed_since(path: str, since: float) -> bool:
    try:
        return os.lstat(path).st_mtime > since - _TICK
    except OSError:
        return False


def _same(one: str, other: str) -> bool:
    return os.path.isfile(one) and os.path.isfile(other) and filecmp.cmp(one, other, shallow=False)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)


def _copy(source: str, target: str, mode: int) -> None:
    """Whoever reads the target finds the old content or the new one."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    beside = f"{target}.outpace-{os.getpid()}"
    try:
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(source), beside)
        elif stat.S_ISREG(mode):
            shutil.copy2(source, beside)
        else:
            return
        os.replace(beside, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
