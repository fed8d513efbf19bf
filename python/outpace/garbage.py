"""Fewer looks for garbage while conftests and tests are imported and collected.

Nearly all that is made then stays, and looking through it again and again is a fifth of the work. Only the number of
new objects before a look is raised: whether the collector is on, and whatever the project's code sets meanwhile, stays.
In the controller it is as it was once its conftests are imported, in a worker once tests are collected. A serial run is
left alone. Nothing here is needed for correctness.
"""

from __future__ import annotations

import gc

# Memory that only a look would give back is a few megabytes by then.
OBJECTS = 50_000
_before: tuple[int, int, int] | None = None


def look_less() -> None:
    global _before
    found = gc.get_threshold()
    if 0 < found[0] < OBJECTS:
        gc.set_threshold(OBJECTS)
        _before = found


def look_as_before() -> None:
    global _before
    if _before is not None and gc.get_threshold() == (OBJECTS, *_before[1:]):
        gc.set_threshold(*_before)
    _before = None
