"""Numbers of which no two processes on this machine have the same at one time: ports, and slots of workers.

A lease is a bound name in the abstract socket namespace. The kernel lets only one process have it, and gives it back
when that process ends, however it ends: there is no file, no folder and nothing to clean up. The namespace belongs to
the network, as ports do; a worker with a network of its own takes its slot before.

Linux only. Nothing here is imported in a run that does not use it.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
from collections.abc import Iterable, Sequence
from contextlib import suppress
from socket import AF_INET, AF_INET6, AF_UNIX, IPPROTO_IPV6, IPV6_V6ONLY, SOCK_DGRAM, SOCK_STREAM, has_ipv6
from socket import socket as _Socket

_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
_LOWEST, _HIGHEST = 20000, 65535
# Fewer would be used up by a few runs.
_ENOUGH = 2000

# The slot of this process; a fork has none yet.
_slot: tuple[int, int, _Socket] | None = None


class Lease:
    def __init__(self, number: int, held: _Socket) -> None:
        self.number = number
        self._held = held

    def release(self) -> None:
        self._held.close()


def take(name: str) -> _Socket | None:
    """The name, until the socket is closed; None while somebody else has it."""
    held = _Socket(AF_UNIX, SOCK_DGRAM)
    try:
        held.bind(f"\0outpace-{name}")
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return held


def slot() -> int:
    """The smallest number that no other worker of this user has, in any run; this process's until it ends."""
    global _slot
    pid = os.getpid()
    if _slot is not None and _slot[0] == pid:
        return _slot[1]
    if _slot is not None:
        _slot[2].close()  # that of the process this one was forked from, which still has it
    for number in itertools.count():
        held = take(f"slot-{os.getuid()}-{number}")
        if held is not None:
            _slot = (pid, number, held)
            return number
    raise AssertionError  # `count` does not end


def port() -> Lease:
    """A port that nobody listens on and that neither the kernel nor another outpace hands out meanwhile."""
    numbers = _candidates()
    for number in numbers:
        held = take(f"port-{number}")
        if held is None:
            continue
        if _is_free(number):
            return Lease(number, held)
        held.close()
    raise OSError(errno.EADDRINUSE, f"no free port among {len(numbers)}")


def _candidates() -> Sequence[int]:
    """From a random one on: the last to be given back is not the next to be given out."""
    numbers = _outside(_handed_out())
    start = random.SystemRandom().randrange(len(numbers))
    return [*numbers[start:], *numbers[:start]]


def _handed_out() -> tuple[int, int]:
    """Where the kernel takes the ports from that it chooses itself."""
    with suppress(OSError, ValueError), open(_RANGE, encoding="ascii") as file:
        low, high = map(int, file.read().split())
        return low, high
    return 32768, 60999


def _outside(taken: tuple[int, int]) -> Sequence[int]:
    low, high = taken
    numbers = [*range(_LOWEST, min(low, _HIGHEST + 1)), *range(max(high + 1, _LOWEST), _HIGHEST + 1)]
    return numbers if len(numbers) >= _ENOUGH else range(_LOWEST, _HIGHEST + 1)


def _is_free(number: int) -> bool:
    """For TCP and UDP, on every address."""
    for family, kind in _kinds():
        try:
            with _Socket(family, kind) as sock:
                if family == AF_INET6:
                    sock.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
                sock.bind(("", number))
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                continue
            return False
    return True


def _kinds() -> Iterable[tuple[int, int]]:
    return itertools.product((AF_INET, AF_INET6) if has_ipv6 else (AF_INET,), (SOCK_STREAM, SOCK_DGRAM))
