"""Did the suite seed the global random generators, or do they still hold what the operating system gave?

A worker of its own has fresh random numbers, unless the suite seeded on purpose: then each worker continues the same
stream. A fork must do likewise, so the question has to be answered by proof. Both `random` and numpy's legacy generator
are a Mersenne Twister: a state that follows from a known start, by drawing, was never seeded since.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from typing import Any

_WORDS = 624
_BLOCKS = 1024


def watch() -> object:
    """Call before any code of the user's: give `random` a fresh start that can be recognised later."""
    random.seed()
    return random.getstate()


@dataclass(frozen=True)
class Seeds:
    """The state of `random` to restore in each fork (None: it was never seeded), and whether to reseed numpy."""

    random_state: Any
    reseed_numpy: bool

    @classmethod
    def take(cls, random_start: Any, *, seeded: bool) -> Seeds:
        """``seeded`` answers for `random` where nobody called :func:`watch`."""
        state = random.getstate()
        if random_start is not None:
            seeded = not _follows(random_start[1], state[1])
        return cls(state if seeded else None, _numpy_untouched())

    def restore_random(self) -> None:
        if self.random_state is not None:
            random.setstate(self.random_state)

    def renew_numpy(self) -> None:
        if self.reseed_numpy:
            sys.modules["numpy.random"].seed()


def _numpy_untouched() -> bool:
    generator = getattr(sys.modules.get("numpy.random.mtrand"), "_rand", None)
    bits: Any = getattr(generator, "_bit_generator", None)
    sequence: Any = getattr(bits, "seed_seq", None) or getattr(bits, "_seed_seq", None)
    entropy = getattr(sequence, "entropy", None)
    if bits is None or entropy is None or type(bits).__name__ != "MT19937":
        return False
    start = type(bits)(type(sequence)(entropy)).state["state"]
    now = bits.state["state"]
    return _follows((*start["key"].tolist(), int(start["pos"])), (*now["key"].tolist(), int(now["pos"])))


def _follows(start: tuple[int, ...], now: tuple[int, ...]) -> bool:
    """Whether drawing from the state ``start``, some 600,000 times at most, leads to the state ``now``."""
    walker = random.Random()
    walker.setstate((3, start, None))
    for _ in range(_BLOCKS):
        if walker.getstate()[1][:_WORDS] == now[:_WORDS]:
            return True
        walker.getrandbits(32 * _WORDS)
    return False
