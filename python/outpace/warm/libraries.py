"""The process below all layers of one kind of run: pytest and its plugins are imported, and no conftest.

Where a conftest has changed, or a module that conftests import, a run goes on from here: a fork is configured, and is
the first of a new chain of layers. This process itself runs nothing of the project that its settings do not name.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Any

from outpace import forked_start
from outpace.worker import bootstrap
from outpace.worker.repairs_pytest import renew_captures

from . import leading, recorder, streams
from .builder import import_ahead
from .control import Control, Waiter, apply_shell

if TYPE_CHECKING:
    import pytest

    from .builder import Layer


def hold(layer: Layer, config: pytest.Config, fd: int) -> None:
    """Fork processes that go on to be configured, the first one at once; returns in each of these."""
    control = Control(fd)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    first = _fork(config)
    if first == 0:
        control.close()
        return
    layer.control.close()
    os.close(layer.templates)
    waiter = Waiter(control)
    waiter.add_child(first)
    import_ahead()
    bootstrap.import_ahead()
    _tell(control, config)
    while True:
        message, fds = _next(control, waiter)
        pid = _fork(config)
        if pid:
            waiter.add_child(pid)
            for each in fds:
                os.close(each)
            continue
        waiter.close()
        control.close()
        recorder.begin_again()
        if message["kind"] == "configure":
            apply_shell(message["env"])
            layer.enter(Control(fds[0]), fds[1])
            return
        control = Control(fds[0])
        waiter = Waiter(control)
        _import(config, message["leading"])
        _tell(control, config)


def _next(control: Control, waiter: Waiter) -> tuple[dict[str, Any], list[int]]:
    """What the server says; the process ends where there is no more."""
    while True:
        ready, _ = waiter.wait()
        if control.fileno() in ready:
            message = control.receive()
            if message is None or message[0]["kind"] == "retire":
                os._exit(0)
            return message


def _fork(config: pytest.Config) -> int:
    """The fork ends with this process, as long as it is not a layer yet."""
    parent = os.getpid()
    pid = forked_start.fork()
    if pid == 0:
        forked_start.be_child_of(parent)
        streams.renew()
        renew_captures(config, with_content=True)
    return pid


def _import(config: pytest.Config, what: dict[str, Any]) -> None:
    """Be of use also without the process below."""
    forked_start.die_with_parent(wanted=False)
    if not leading.do(config, **what):
        os._exit(0)


def _tell(control: Control, config: pytest.Config) -> None:
    """What was read so far; nobody asks for a fork where that cannot be told."""
    gc.collect()
    gc.freeze()  # what is there is shared with the forks, as long as nobody looks through it
    try:
        record = recorder.settle(config, looked_for=recorder.SETTINGS)
    except recorder.NotRecordable:
        return
    control.send("ready", [record])
    os.close(record)
