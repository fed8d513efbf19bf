"""Fixtures for tests that are to run side by side: ports, folders and numbers that no other worker has.

They work without workers as well. What they need is imported when one is used.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest


@pytest.fixture
def free_port() -> Generator[int, None, None]:
    """A port that nobody uses and that no other test of any outpace run on this machine gets until this one is over."""
    from . import leases

    lease = leases.port()
    yield lease.number
    lease.release()


@pytest.fixture(scope="session")
def free_ports() -> Generator[Callable[[int], list[int]], None, None]:
    """``free_ports(n)``: so many ports, as ``free_port``, until the end of the worker's session."""
    from . import leases

    taken: list[leases.Lease] = []

    def some(count: int) -> list[int]:
        new = [leases.port() for _ in range(count)]
        taken.extend(new)
        return [each.number for each in new]

    yield some
    for each in taken:
        each.release()


@pytest.fixture(scope="session")
def worker_slot() -> int:
    """The smallest number that no other worker has, in any outpace run of this user on this machine at this time."""
    from . import leases

    return leases.slot()


@pytest.fixture(scope="session")
def worker_tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder of this worker, for what its tests share."""
    return tmp_path_factory.mktemp("worker")


@pytest.fixture(scope="session")
def worker_cache_dir(
    request: pytest.FixtureRequest, worker_slot: int, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder that is there in the next run again, and is no other worker's at the same time, in no run."""
    cache = getattr(request.config, "cache", None)
    if cache is None:
        return tmp_path_factory.mktemp("cache")
    folder: Path = cache.mkdir(f"outpace-worker-{worker_slot}")
    return folder
