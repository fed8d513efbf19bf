"""Follow a tree of processes while it runs: its peak memory, and what each program in it used.

Reading memory stops the processes for moments, so a run that is sampled is not timed.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from benchlib.processes import all_processes, descendants, program, pss

INTERVAL = 0.05


@dataclass
class ProgramUse:
    """The processes that run one program, together."""

    cpu: float = 0.0
    peak_pss: int = 0
    peak_count: int = 0


@dataclass
class Sampler:
    peak_pss: int = 0
    peak_count: int = 0
    programs: dict[str, ProgramUse] = field(default_factory=dict)
    _cpu: dict[tuple[int, int], tuple[str, float]] = field(default_factory=dict)

    def sample(self) -> float:
        """Read the tree once; return how many seconds to wait until the next time."""
        started = time.perf_counter()
        tree = [process for process in descendants(all_processes(), os.getpid()) if process.state != "Z"]
        memory: dict[str, list[int]] = {}
        for process in tree:
            name = program(process.pid)
            memory.setdefault(name, []).append(pss(process.pid))
            self._cpu[process.pid, process.started] = (name, process.cpu)
        self.peak_pss = max(self.peak_pss, sum(map(sum, memory.values())))
        self.peak_count = max(self.peak_count, len(tree))
        for name, sizes in memory.items():
            use = self.programs.setdefault(name, ProgramUse())
            use.peak_pss = max(use.peak_pss, sum(sizes))
            use.peak_count = max(use.peak_count, len(sizes))
        return max(INTERVAL, 3 * (time.perf_counter() - started))

    def finish(self) -> float:
        """Add up the CPU time last seen of every process; return the sum, a lower bound of the truth."""
        for use in self.programs.values():
            use.cpu = 0.0
        for name, cpu in self._cpu.values():
            self.programs[name].cpu += cpu
        return sum(cpu for _, cpu in self._cpu.values())
