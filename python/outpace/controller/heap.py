"""What is alive in the controller before the first test is out of the garbage collector's sight until the end.

pytest collects garbage five times as a session ends, each time looking at all that it and its plugins ever imported.
Here that has been looked at already, while the controller has nothing else to do. Nothing here is needed for
correctness.
"""

from __future__ import annotations

import gc

_set_aside = False


def set_aside() -> None:
    """Call when the controller begins to wait for the collection."""
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
