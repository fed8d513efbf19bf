"""The ``outpace`` command's way in: pytest, with ``-n auto`` unless something else is asked for."""

from __future__ import annotations

import sys

# Set by `main`: a run without any word about workers is to be `-n auto`.
parallel_by_default = False


def main() -> int:
    import pytest

    global parallel_by_default
    parallel_by_default = True
    sys.argv[0] = "outpace"
    return int(pytest.console_main())
