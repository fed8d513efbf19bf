"""A debugger before pytest's own support for it begins: at the top of a conftest, or in its ``pytest_configure``.

The process of the run has executed the same lines, with the terminal, and has stopped there where a serial run does.
Here it is passed over, and told: without a terminal the plain debugger would end the process with ``BdbQuit``.
"""

from __future__ import annotations

import contextlib
import os
import pdb
import sys
from typing import TYPE_CHECKING, Any

from outpace import plain
from outpace.wire import Closed, Kind

if TYPE_CHECKING:
    from outpace.wire import Channel


def pass_over(channel: Channel) -> None:
    """Until pytest puts its own function in the place of this one, when it is configured."""
    process = os.getpid()

    def set_trace(*args: Any, **kwargs: Any) -> None:
        frame = sys._getframe(1)
        place = f"{os.path.relpath(frame.f_code.co_filename)}:{frame.f_lineno}"
        if os.getpid() == process:
            with contextlib.suppress(Closed):
                channel.send(Kind.W_EVENT, plain.dumps(("passed_over", {"place": place})))

    pdb.set_trace = set_trace
