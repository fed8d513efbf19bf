"""outpace: run a pytest suite in parallel, unchanged.

The logic lives in the ``outpace`` binary; this package is the thin layer inside the user's own pytest.

PYTEST_DONT_REWRITE (the template imports this package before pytest could rewrite it)
"""

from __future__ import annotations

__version__ = "0.1.0"
