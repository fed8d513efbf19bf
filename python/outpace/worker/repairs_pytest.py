"""Repairs of what pytest itself keeps. See :mod:`outpace.worker.repair`."""

from __future__ import annotations

import os
import stat
import tempfile
from typing import TYPE_CHECKING

from outpace import pytest_private

if TYPE_CHECKING:
    import pytest

    from outpace.worker.repair import Identity, Template


def workerinput(config: pytest.Config, identity: Identity, template: Template) -> None:
    """The same dict object gets a new content: plugins keep references. ``workeroutput`` is right: a private copy."""
    current = getattr(config, "workerinput", None)
    if isinstance(current, dict):
        stop = getattr(current, "stop", None)
        if stop is not None:
            stop()
        current.clear()
        current.update(identity.workerinput)
    else:
        config.workerinput = dict(identity.workerinput)  # type: ignore[attr-defined]
    if not hasattr(config, "workeroutput"):
        config.workeroutput = {}  # type: ignore[attr-defined]


def stdio(config: pytest.Config, identity: Identity, template: Template) -> None:
    """Descriptors 0 and 1 are /dev/null, also where capture puts them back when it is suspended."""
    captures = pytest_private.fd_captures(config)
    saved = [(capture.targetfd_save, False) for capture in captures if capture.targetfd in (0, 1)]
    started = {capture.targetfd for capture in captures if pytest_private.is_capturing(capture)}
    wanted = saved + [(fd, True) for fd in (0, 1) if fd not in started]
    null = os.open(os.devnull, os.O_RDWR)
    try:
        for fd, inheritable in wanted:
            if not _is_null(fd, null):
                os.dup2(null, fd, inheritable=inheritable)
    finally:
        os.close(null)


def _is_null(fd: int, null: int) -> bool:
    try:
        found, wanted = os.fstat(fd), os.fstat(null)
    except OSError:
        return False
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == wanted.st_rdev


def capture(config: pytest.Config, identity: Identity, template: Template) -> None:
    """New files under the same descriptors: handlers that hold pytest's file objects go on working.

    What the template's files still hold is reported with the first test in a serial run; the first fork takes it along.
    """
    renew_captures(config, with_content=template.forks == 1)


def renew_captures(config: pytest.Config, *, with_content: bool) -> None:
    for each in pytest_private.fd_captures(config):
        shared = each.tmpfile.fileno()
        if not stat.S_ISREG(os.fstat(shared).st_mode):
            continue
        with tempfile.TemporaryFile(buffering=0) as fresh:
            if with_content:
                fresh.write(os.pread(shared, os.fstat(shared).st_size, 0))
            os.dup2(fresh.fileno(), shared, inheritable=False)
            if pytest_private.is_capturing(each):
                os.dup2(fresh.fileno(), each.targetfd)


def tmp_path(config: pytest.Config, identity: Identity, template: Template) -> None:
    pytest_private.move_tmp_paths(config, identity.basetemp)


def unraisable(config: pytest.Config, identity: Identity, template: Template) -> None:
    """Queued exceptions are reported with the first test in a serial run; here with that of the first fork."""
    if template.forks == 1:
        return
    for queue in pytest_private.exception_queues(config):
        queue.clear()


def pastebin(config: pytest.Config, identity: Identity, template: Template) -> None:
    pytest_private.drop_paste(config)
