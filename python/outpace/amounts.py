"""How much of a resource: numbers, sizes with a unit, and how much memory there is."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
ACCEPTED = 'a number from 1 on, or a size such as "500MB" (B, KB, MB, GB, KiB, MiB, GiB)'

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def parse(value: object) -> int:
    """Raises ``ValueError`` with what would be accepted."""
    amount = 0
    if isinstance(value, int) and not isinstance(value, bool):
        amount = value
    elif isinstance(value, str):
        size = _SIZE.fullmatch(value.strip())
        unit = UNITS.get(size.group(2).upper() or "B") if size else None
        amount = int(float(size.group(1)) * unit) if size and unit else 0
    if not 1 <= amount < 2**63:
        raise ValueError(f"{value!r} is not an amount: {ACCEPTED}")
    return amount


def show(amount: int) -> str:
    """For people: sizes in GB."""
    return f"{amount / 10**9:.3g} GB" if amount >= 10**7 else str(amount)


def memory(root: Path = Path("/")) -> int:
    """The machine's memory, or what the control groups allow of it."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    groups = root / "sys/fs/cgroup"
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                found += _limits(groups, path, "memory.max")
            elif "memory" in controllers.split(","):
                found += _limits(groups / "memory", path, "memory.limit_in_bytes")
    return min(found)


def _limits(mount: Path, path: str, name: str) -> list[int]:
    folder = mount / path.strip("/")
    limits = []
    while True:
        with contextlib.suppress(OSError, ValueError):
            limits.append(int((folder / name).read_text()))
        if folder == mount:
            return [limit for limit in limits if limit > 0]
        folder = folder.parent
