"""What ``/proc`` says about this process's descendants: who they are, their CPU time, their memory.

Linux only. A process that ends while it is being read is left out, never an error.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    state: str
    cpu: float
    started: int


def parse_stat(text: str) -> Process:
    """One line of ``/proc/PID/stat``; the name in it may hold blanks and brackets."""
    pid, _, rest = text.partition(" (")
    fields = rest[rest.rindex(")") + 2 :].split()
    cpu = (int(fields[11]) + int(fields[12])) / TICKS
    return Process(int(pid), int(fields[1]), fields[0], cpu, int(fields[19]))


def all_processes() -> list[Process]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found.append(parse_stat(Path("/proc", name, "stat").read_text()))
            except (OSError, ValueError):
                continue
    return found


def descendants(processes: list[Process], root: int) -> list[Process]:
    """All children of ``root``, their children and so on; not ``root`` itself."""
    children: dict[int, list[Process]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [root]
    while waiting:
        mine = children.pop(waiting.pop(), [])
        found += mine
        waiting += [process.pid for process in mine]
    return found


def pss(pid: int) -> int:
    """Bytes of memory that count for this process, shared pages divided among those that share them."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def program(pid: int) -> str:
    """The file name of the program that the process runs, or an empty string."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""
