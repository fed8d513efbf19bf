"""One look for garbage as the controller ends, in place of five.

pytest collects garbage five times when a configuration is cleaned up, each time looking at all that it and its plugins
ever imported. After the first time that is out of the collector's sight until pytest is through. Not earlier: libraries
ask the collector who refers to an object. Nothing here is needed for correctness.
"""

from __future__ import annotations

import gc

_set_aside = False


def set_aside() -> None:
    """The first of the clean-ups."""
    global _set_aside
    if gc.isenabled() and gc.get_freeze_count() == 0:
        gc.collect()
        gc.freeze()
        _set_aside = True


def restore() -> None:
    """The interpreter's own end finds everything again, and so flushes what is left open."""
    global _set_aside
    if _set_aside:
        gc.unfreeze()
        _set_aside = False
