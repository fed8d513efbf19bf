"""This process's lane of the shared board: what it is doing, and which grants it may still claim.

The coordinator reads a lane when a worker dies or hangs, and revokes grants through it. All stores are single aligned
words, so the other side never sees half of one.
"""

from __future__ import annotations

import mmap
import platform
import time

LANE = 64
RING = 64 * 1024
NO_LIMIT = 0xFFFFFFFF

# In the word `asked`: nothing is to fail, tasks are to be told.
TELL_TASKS = 1 << 31
# It is to fail soon, and to stand still until then.
STAND_STILL = 1 << 30
_PURSUIT = STAND_STILL - 1

IDLE, SETUP, CALL, TEARDOWN, FINISH, START = range(6)

_PHASES = {SETUP: "setup", CALL: "call", TEARDOWN: "teardown"}

_monotonic = time.monotonic


# membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED), by processor.
_MEMBARRIER = {"x86_64": 324, "aarch64": 283}
_REGISTER = 4

_registered = False


def register_for_fence() -> None:
    """Let the coordinator's quick fence reach this process and its forks; without it a slow one is used."""
    global _registered
    number = _MEMBARRIER.get(platform.machine())
    try:
        import ctypes

        _registered = number is not None and ctypes.CDLL(None).syscall(number, _REGISTER, 0) == 0
    except (ImportError, OSError, AttributeError):
        _registered = False


class Board:
    """The mapped memory, shared by all processes of a run."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, 0)
        self.lanes = len(self._memory) // (LANE + RING)
        self.bytes = memoryview(self._memory)
        self.quads = memoryview(self._memory).cast("Q")
        self.words = memoryview(self._memory).cast("I")
        self.doubles = memoryview(self._memory).cast("d")

    def lane(self, number: int) -> Lane:
        return Lane(self, number)


class Lane:
    """One worker's words; layout in ``docs/design/protocol.md``."""

    def __init__(self, board: Board, number: int) -> None:
        self.number = number
        self._words = board.words
        self._doubles = board.doubles
        self._quads = board.quads
        self._limit = number * LANE // 4
        self._position = self._limit + 1
        self._item = self._limit + 2
        self._phase = self._limit + 3
        self._began = number * LANE // 8 + 2
        self._registered = self._began + 1
        self._sequence = self._limit + 12
        self._stacks = self._limit + 13
        self._asked = self._limit + 14
        self._answered = self._limit + 15

    def claim(self, position: int) -> bool:
        """Claim the grant at ``position``; False when it has been revoked.

        Store, then load: the coordinator stores the limit, fences, then loads the position, so at least one of the two
        sides sees the other's store.
        """
        words = self._words
        words[self._position] = position + 1
        if position < words[self._limit]:
            return True
        words[self._position] = position
        return False

    def enter(self, phase: int) -> None:
        self._words[self._phase] = phase
        self._doubles[self._began] = _monotonic()

    def phase_name(self) -> str:
        return _PHASES.get(self._words[self._phase], "between two phases")

    def tell_registered(self) -> None:
        self._quads[self._registered] = int(_registered)

    def item(self, index: int | None) -> None:
        self._words[self._item] = 0 if index is None else index + 1

    def begin(self) -> None:
        """Something else begins: a test, or the collection of a file."""
        words = self._words
        words[self._sequence] = (words[self._sequence] + 1) & NO_LIMIT

    def start_over(self) -> None:
        """As a fork, which inherits the lane of its template or a fresh one."""
        for word in (self._sequence, self._asked, self._answered):
            self._words[word] = 0
        self.enter(IDLE)

    def tell_stacks(self, fd: int) -> None:
        self._words[self._stacks] = fd + 1

    def asked(self) -> int:
        return self._words[self._asked]

    def answered(self) -> int:
        return self._words[self._answered]

    def pursuit(self) -> int:
        """What this process is at, as it would be asked for it."""
        return (self._words[self._sequence] + 1) & _PURSUIT

    def answer(self, asked: int) -> None:
        self._words[self._answered] = asked
