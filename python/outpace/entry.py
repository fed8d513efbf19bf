"""The ``outpace`` command's way in: pytest, with ``-n auto`` unless something else is asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outpace.warm.builder import Layer

# Set by `main`: a run without any word about workers is to be `-n auto`.
parallel_by_default = False
# What the header says of layers, where a run was to be warm.
note: str | None = None
# This process as a layer of warm runs, while it is one.
layer: Layer | None = None


def main(cold_because: str | None = None) -> int:
    """``cold_because``: why a run that was to be a warm one is none."""
    import pytest

    global parallel_by_default, note
    parallel_by_default = True
    if cold_because is not None:
        note = f"not warm: {cold_because}"
    sys.argv[0] = "outpace"
    return int(pytest.console_main())
