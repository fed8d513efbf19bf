"""One small real project per pytest plugin, run serially and in parallel, compared.

``pip install -r tests/plugins/requirements.txt`` beside outpace, then ``pytest tests/plugins``. With
``OUTPACE_TEST_ENGINE=xdist`` the same tests judge plain pytest-xdist, which shows whether a difference is its too.
Importing the package makes ``tests/support`` importable, whose ``outcomes`` module does the comparing.
"""

from __future__ import annotations

import sys
from pathlib import Path

_SUPPORT = str(Path(__file__).resolve().parent.parent / "support")
if _SUPPORT not in sys.path:
    sys.path.insert(0, _SUPPORT)
