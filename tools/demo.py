"""Runs the bundled example serially and in parallel, and prints both times. For people, not for benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "trading"
RUNS = (("serially", "pytest -n 0", ("-n", "0")), ("in parallel", "pytest -n auto", ("-n", "auto")))


def main() -> int:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for how, shown, options in RUNS:
        print(f"\n=== the trading example, {how}: {shown}\n", flush=True)
        start = time.perf_counter()
        code = subprocess.run(
            [sys.executable, "-m", "pytest", *options], cwd=EXAMPLE, env=environment, check=False
        ).returncode
        times.append(time.perf_counter() - start)
        if code:
            return code
    print(f"\nserially {times[0]:.1f} s, in parallel {times[1]:.1f} s ({times[0] / times[1]:.1f} times as fast)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
