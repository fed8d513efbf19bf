"""The system calls of a sandbox, each one thing, through ``ctypes``: Python has some of them only since 3.12.

Linux only. Every failure is an ``OSError`` that names the call. What is to be called, and in which order, is
:mod:`outpace.worker.sandbox`'s.
"""

from __future__ import annotations

import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
from typing import Any

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x08000000, 0x10000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_SLAVE = 0x2, 0x4, 0x1000, 0x4000, 0x80000
_MNT_DETACH = 2
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21

_CAPABILITY_VERSION = 0x20080522
_SYS_CAPS = {"x86_64": (125, 126), "i686": (184, 185), "armv7l": (184, 185), "ppc64le": (183, 184), "s390x": (184, 185)}
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
_IFF_UP = 1

_libc: Any = None


def library() -> Any:
    """The C library; loaded once, in the template."""
    global _libc
    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
    return _libc


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _check(library().unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    result = library().mount(
        os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )
    _check(result, f"mount {kind or 'bind'} on {target}")


def detach(target: str) -> None:
    """Unmount from the tree; whoever has it open goes on using it."""
    _check(library().umount2(os.fsencode(target), _MNT_DETACH), f"umount {target}")


class Capabilities:
    """The effective, permitted and inheritable capabilities of this thread."""

    def __init__(self) -> None:
        self._sets = (ctypes.c_uint32 * 6)()
        self._call("capget", 0)

    def __contains__(self, number: int) -> bool:
        return bool(self._sets[3 * (number // 32)] & (1 << (number % 32)))

    def restore(self) -> None:
        """These, and no others, from here on."""
        self._call("capset", 1)

    def _call(self, name: str, which: int) -> None:
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
        function = getattr(library(), name, None)
        if function is not None:
            return _check(function(header, self._sets), name)
        number = _SYS_CAPS.get(os.uname().machine, (90, 91))[which]
        _check(library().syscall(number, header, self._sets), name)


def map_same_user(uid: int, gid: int) -> None:
    """In the new user namespace this user and group are who they were outside."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = bytearray(struct.pack("16sH22x", b"lo", 0))
        fcntl.ioctl(sock, _SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("H", request, 16)
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))


def add_to_loopback(address: str, number: int) -> None:
    """Have the loopback answer for one more address; ``number`` makes its label unique."""
    ip = ipaddress.ip_address(address)
    if ip.version == 6:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            request = struct.pack("=16sIi", ip.packed, 128, socket.if_nametoindex("lo"))
            fcntl.ioctl(sock, _SIOCSIFADDR, request)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        label = f"lo:{number}".encode()
        for call, packed in ((_SIOCSIFADDR, ip.packed), (_SIOCSIFNETMASK, b"\xff\xff\xff\xff")):
            fcntl.ioctl(sock, call, struct.pack("16sHH4s16x", label, socket.AF_INET, 0, packed))
