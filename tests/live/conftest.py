"""Fixtures of the tests of live output: a project whose tests print, and runs of it."""

from __future__ import annotations

import sys
from pathlib import Path

_SUPPORT = str(Path(__file__).resolve().parent.parent / "support")
if _SUPPORT not in sys.path:
    sys.path.insert(0, _SUPPORT)

from projects import method, project  # noqa: E402, F401
