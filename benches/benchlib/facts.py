"""What a reader needs to know about the machine and the versions. Names no host and no path."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchlib.runners import Runner

DISTRIBUTIONS = ("pytest", "pytest-xdist", "outpace", "pytest-zygote", "rstest")
VERSIONS = (
    f"NAMES = {DISTRIBUTIONS!r}\n"
    + """\
import platform
from importlib.metadata import PackageNotFoundError, version
found = [f"{platform.python_implementation()} {platform.python_version()}"]
for name in NAMES:
    try:
        found.append(f"{name} {version(name)}")
    except PackageNotFoundError:
        pass
print(", ".join(found))
"""
)


def machine() -> dict[str, str]:
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} logical processors usable",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB",
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def versions(venvs: Path, runners: Sequence[Runner]) -> dict[str, str]:
    """One line per environment that the runners use."""
    found = {}
    for venv in dict.fromkeys(runner.venv for runner in runners):
        python = venvs / venv / "bin" / "python"
        done = subprocess.run([str(python), "-c", VERSIONS], capture_output=True, text=True, check=False, timeout=60)
        found[f"environment {venv}"] = done.stdout.strip() or "unknown"
    return found
