"""The ``outpace`` command's way in: pytest, with ``-n auto`` unless something else is asked for.

Also the way on for a ``pytest`` that has become this command (:mod:`outpace.handover`), which stays what it was.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outpace.warm.builder import Layer

# Set by `main`: pytest is in this process because the command has it run.
is_entered = False
# Set by `main`: a run without any word about workers is to be `-n auto`.
parallel_by_default = False
# What the header says of layers, where a run was to be warm.
note: str | None = None
# This process as a layer of warm runs, while it is one.
layer: Layer | None = None


def main(cold_because: str | None = None, program: str | None = None) -> int:
    """``cold_because``: why a run that was to be a warm one is none. ``program``: what a ``pytest`` was started as."""
    from outpace import pytest_private

    global is_entered, parallel_by_default, note
    is_entered = True
    parallel_by_default = program is None
    if cold_because is not None:
        note = f"not warm: {cold_because}"
    sys.argv[0] = program or "outpace"
    return pytest_private.run_command()
