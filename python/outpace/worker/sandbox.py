"""A worker enters its sandbox: namespaces of its own for ports, temporary folders, the project's files, IPC.

Once per process, before its first test, and for good: the kernel has no way back. What the tests start is in it, too.
The plan of the mounts is :mod:`outpace.worker.sandbox_plan`'s, the system calls :mod:`outpace.worker.sandbox_calls`'s;
what is seen of it during the tests :mod:`outpace.worker.sandbox_watch`'s. ``docs/design/sandbox.md`` says why it is so.

Nothing of a sandbox outlives its processes: what is written lies in memory that belongs to its mounts.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from outpace import plain
from outpace.isolation import UDP
from outpace.wire import Kind, frame

from . import sandbox_calls as calls
from . import sandbox_plan as plans

if TYPE_CHECKING:
    from outpace.wire import Channel

_PORT_START = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
_HINTS = (
    ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces is 0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns is 1 (Ubuntu 23.10 and later)",
    ),
)


class Refused(Exception):
    """The sandbox cannot be; the message says why, and what to do."""


class Sandbox:
    """What a worker has entered."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.kinds: list[str] = []
        # Where the worker's writes are, and the project's folder without them.
        self.upper: int | None = None
        self.root: int | None = None
        self.has_user_namespace = False
        self.since = time.time()


def enter_or_say(given: dict[str, Any], basetemp: str | None, channel: Channel) -> Sandbox:
    """As ``enter``; what cannot be is told to the controller, and ends this process unless that is to be ignored."""
    why = ""
    wanted = given["kinds"]
    if given["missing"] == "ignore":
        kinds, why = _possible(given, basetemp)
        given = {**given, "kinds": kinds}
    try:
        sandbox = enter(given, basetemp, channel) if given["kinds"] else Sandbox(given)
    except Refused as error:
        _tell(channel, "usage_error", {"messages": [f"outpace: {error}"]})
        os._exit(1)
    lacking = [kind for kind in wanted if kind not in sandbox.kinds]
    _tell(channel, "isolated", {"kinds": sandbox.kinds, "lacking": lacking, "why": why})
    return sandbox


def _possible(given: dict[str, Any], basetemp: str | None) -> tuple[list[str], str]:
    """The kinds that the kernel grants, and why not the others: tried in children, for there is no way back."""
    why = _try(given, basetemp)
    if not why:
        return given["kinds"], ""
    kinds = [kind for kind in given["kinds"] if not _try({**given, "kinds": [kind]}, basetemp)]
    return kinds, why


def _try(given: dict[str, Any], basetemp: str | None) -> str:
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            enter(given, basetemp, None)
        except BaseException as error:
            os.write(writable, str(error).encode()[:4096] or b"?")
        finally:
            os._exit(0)
    os.close(writable)
    with open(readable, "rb") as file:
        why = file.read()
    os.waitpid(pid, 0)
    return why.decode("utf-8", "replace")


def _tell(channel: Channel, name: str, content: dict[str, Any]) -> None:
    channel.send(Kind.W_EVENT, plain.dumps((name, content)))


def enter(given: dict[str, Any], basetemp: str | None, channel: Channel | None) -> Sandbox:
    """Raises :class:`Refused`; the process is then good for nothing but to say so. Without a channel nothing is told
    to anybody."""
    sandbox = Sandbox(given)
    kinds = given["kinds"]
    if sys.platform != "linux" or not os.path.exists("/proc/self/uid_map"):
        raise Refused(f"--isolate={','.join(kinds)} needs Linux, with user namespaces and /proc")
    _check_threads()
    capabilities = calls.Capabilities()
    privileged = calls.CAP_SYS_ADMIN in capabilities and calls.CAP_NET_ADMIN in capabilities
    low_ports = _read(_PORT_START)
    _unshare(kinds, given, privileged=privileged)
    sandbox.has_user_namespace = not privileged
    try:
        if _mounts(given):
            calls.mount("none", "/", None, calls.MS_REC | calls.MS_SLAVE)
            _enter_mounts(sandbox, given, basetemp)
        if "ports" in kinds:
            _enter_network(given, channel, low_ports)
        if not privileged:
            capabilities.restore()
    except plans.Impossible as error:
        raise Refused(f"--isolate={','.join(kinds)}: {error}") from None
    except OSError as error:
        raise Refused(f"--isolate={','.join(kinds)}: the kernel refused: {error}{_about(error, given)}") from error
    if given["home"]:
        os.environ["HOME"] = _home(given)
    sandbox.kinds = list(kinds)
    return sandbox


def entered_before(state: dict[str, Any]) -> Sandbox:
    """In an interpreter that another one of the same process has become: what that one had entered."""
    sandbox = Sandbox(state["given"])
    vars(sandbox).update(state)
    for fd in (sandbox.upper, sandbox.root):
        if fd is not None:
            os.set_inheritable(fd, False)
    if sandbox.given["home"]:
        os.environ["HOME"] = _home(sandbox.given)
    return sandbox


def _mounts(given: dict[str, Any]) -> bool:
    return "tmp" in given["kinds"] or "files" in given["kinds"] or bool(given["hosts"])


def _unshare(kinds: list[str], given: dict[str, Any], *, privileged: bool) -> None:
    flags = 0 if privileged else calls.CLONE_NEWUSER
    if _mounts(given):
        flags |= calls.CLONE_NEWNS
    if "ports" in kinds:
        flags |= calls.CLONE_NEWNET
    if "ipc" in kinds:
        flags |= calls.CLONE_NEWIPC
    uid, gid = os.geteuid(), os.getegid()
    try:
        calls.unshare(flags)
        if not privileged:
            calls.map_same_user(uid, gid)
    except OSError as error:
        raise Refused(f"--isolate={','.join(kinds)}: {_why_refused(error)}") from error


def _check_threads() -> None:
    """The kernel refuses a user namespace to a process with threads; of the others, only the caller would enter."""
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise Refused(
            f"a worker has {threads} threads, which were started while tests were collected, and cannot be isolated "
            "any more. Name all that is to be its own in --isolate or [tool.outpace.isolate], not only in marks: "
            "workers are then isolated before"
        )


def _why_refused(error: OSError) -> str:
    hints = [text for path, value, text in _HINTS if _read(path) == value]
    reason = hints[0] if hints else "a container's seccomp profile or a security module may forbid it"
    return (
        f"this system does not let processes have namespaces of their own ({error}; {reason}). "
        "Allow it, or run without: --isolate-missing=ignore"
    )


def _about(error: OSError, given: dict[str, Any]) -> str:
    if "overlay" in str(error):
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounted = file.read()
        folders = (given["root"], *given["databases"])
        below = [path for folder in folders for path in plans.mounts_below(mounted, folder)]
        if below:
            return f" (other file systems are mounted in there: {', '.join(below[:3])})"
        return " (an ordinary user needs Linux 6.6 for `files`)"
    return ""


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().strip()
    except OSError:
        return None


# ---------------------------------------------------------------- mounts


def _enter_mounts(sandbox: Sandbox, given: dict[str, Any], basetemp: str | None) -> None:
    root, files, here = given["root"], "files" in given["kinds"], os.getcwd()
    live = [path for path in (*given["live"], *given["paths"]) if os.path.exists(path)]
    if basetemp is not None:
        live.append(os.path.realpath(os.path.dirname(basetemp)))
    databases = given["databases"]
    for folder in databases:
        if not os.path.isdir(folder):
            raise Refused(
                f"{folder}, where a database's file is, is in a temporary folder that has become this worker's own "
                'already: name "files" in [tool.outpace.isolate], not only in marks'
            )
    if files:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounted = file.read()
        for folder in (root, *databases):
            live += [path for path in plans.mounts_below(mounted, folder) if path not in (root, *databases)]
        if root in live:
            live.remove(root)
    order = plans.steps(
        root=root, files=files, own=given["own"], needed=_needed(), live=live, databases=databases
    )
    with _opened([step.target for step in order if step.kind != plans.TMPFS]) as descriptors:
        if files:
            sandbox.root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for step in order:
            if step.kind == plans.TMPFS:
                mode = f"mode={os.stat(step.target).st_mode & 0o7777:o}"
                calls.mount("tmpfs", step.target, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, mode)
            elif step.kind == plans.OVERLAY:
                upper = _overlay(step.target, descriptors[step.target], user=sandbox.has_user_namespace)
                if step.target == root:
                    sandbox.upper = upper
                else:
                    os.close(upper)
            else:
                _make_place(step.target, descriptors[step.target])
                source = f"/proc/self/fd/{descriptors[step.target]}"
                calls.mount(source, step.target, None, calls.MS_BIND | calls.MS_REC)
    os.chdir(here)
    if given["hosts"]:
        _know_hosts(given["hosts"])


def _needed() -> list[str]:
    """What this process runs from, and will still import."""
    paths = [sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(sys.executable), os.getcwd(), *sys.path]
    paths.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    found = (os.path.realpath(path) for path in paths if path and os.path.isabs(path))
    return [path for path in dict.fromkeys(found) if path != "/" and os.path.exists(path)]


@contextlib.contextmanager
def _opened(paths: list[str]) -> Iterator[dict[str, int]]:
    """As they are now: in this namespace, before anything is mounted over them."""
    descriptors: dict[str, int] = {}
    try:
        for path in paths:
            descriptors[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
        yield descriptors
    finally:
        for fd in descriptors.values():
            os.close(fd)


def _overlay(target: str, root: int, *, user: bool) -> int:
    """The folder with what is written, which no path leads to: the overlay lies over the memory that holds it."""
    calls.mount("tmpfs", target, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, "mode=755")
    memory = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.mkdir("upper", os.stat(f"/proc/self/fd/{root}").st_mode & 0o7777, dir_fd=memory)
        os.mkdir("work", dir_fd=memory)
        place = f"/proc/self/fd/{memory}"
        # What root may do, an ordinary user's overlay cannot: rename folders that were there before.
        special = "userxattr" if user else "redirect_dir=on"
        options = f"lowerdir=/proc/self/fd/{root},upperdir={place}/upper,workdir={place}/work,{special}"
        calls.mount("overlay", target, "overlay", calls.MS_NOSUID | calls.MS_NODEV, options)
        return os.open("upper", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=memory)
    finally:
        os.close(memory)


def _make_place(target: str, source: int) -> None:
    """Something to mount on, where the folders above have become empty."""
    if os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    if os.path.isdir(f"/proc/self/fd/{source}"):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))


def _know_hosts(lines: list[str]) -> None:
    """A copy of the hosts file with more lines; it lies in memory that is taken out of the tree again."""
    place = "/etc"
    text = (_read("/etc/hosts") or "") + "\n" + "".join(f"{line}\n" for line in lines)
    etc = os.open(place, os.O_PATH | os.O_CLOEXEC)
    try:
        calls.mount("tmpfs", place, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV, "mode=755")
        with open("/etc/hosts", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        hosts = os.open("/etc/hosts", os.O_PATH | os.O_CLOEXEC)
        try:
            calls.mount(f"/proc/self/fd/{hosts}", f"/proc/self/fd/{etc}/hosts", None, calls.MS_BIND)
        finally:
            os.close(hosts)
        calls.detach(place)
    finally:
        os.close(etc)


def _home(given: dict[str, Any]) -> str:
    home = os.path.join(given["own"][0], "home")
    os.makedirs(home, mode=0o700, exist_ok=True)
    return home


# ---------------------------------------------------------------- network


def _enter_network(given: dict[str, Any], channel: Channel | None, low_ports: str | None) -> None:
    calls.raise_loopback()
    if low_ports is not None and low_ports != _read(_PORT_START):
        with contextlib.suppress(OSError), open(_PORT_START, "w", encoding="ascii") as file:
            file.write(low_ports)
    if not given["targets"]:
        return
    listeners = []
    try:
        for number, target in enumerate(given["targets"]):
            listeners.append(_listener(target, number))
        if channel is not None:
            renames = given.get("renames", {})
            targets = ["\0".join([each, *renames.get(each, ())]) for each in given["targets"]]
            _hand_over(channel, targets, [each.fileno() for each in listeners])
    finally:
        for each in listeners:
            each.close()


def _listener(target: str, number: int) -> socket.socket:
    """Where the service is, as seen from inside."""
    if target.startswith("@"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(f"\0{target[1:]}")
    else:
        is_udp = target.endswith(UDP)
        host, _, port = (target[: -len(UDP)] if is_udp else target).rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        if not host.startswith("127.") and host != "::1":
            calls.add_to_loopback(host, number)
        sock = socket.socket(family, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
        if not is_udp:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
        if is_udp:
            return sock
    sock.listen(128)
    return sock


def _hand_over(channel: Channel, targets: list[str], descriptors: list[int]) -> None:
    """One frame a listener: each carries its descriptor."""
    with socket.socket(fileno=os.dup(channel.fd)) as sock:
        sock.setblocking(True)
        for target, fd in zip(targets, descriptors):
            data = frame(Kind.W_EXPOSE, target.encode())
            sent = sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
            channel.send_bytes(data[sent:])
