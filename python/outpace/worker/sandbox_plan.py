"""Which mounts make a worker's view of the file system, and in which order. Pure: it looks at nothing.

Everything is put together from paths that are absolute and free of symbolic links. What a mount hides, and must stay
visible, is bound back from the file system as it was before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

TMPFS, OVERLAY, BIND = "tmpfs", "overlay", "bind"


class Step(NamedTuple):
    """``tmpfs`` and ``overlay`` on ``target``; ``bind`` of what was at ``target`` before."""

    kind: str
    target: str


class Impossible(Exception):
    """No order of mounts gives what is wanted; the message says why."""


def is_in(path: str, folder: str) -> bool:
    """Also the folder itself."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def steps(*, root: str, files: bool, own: Sequence[str], needed: Iterable[str], live: Iterable[str]) -> list[Step]:
    """The mounts in order.

    ``root`` is the project's folder, to be overlaid if ``files``. ``own`` are the folders that become empty ones of the
    worker's. ``needed`` are paths that must be as they were (the interpreter, say); through an overlay they are.
    ``live`` are paths where a write must be seen outside.
    """
    if files and root == "/":
        raise Impossible("the project folder is the root of the file system")
    own = _outermost(own)
    needed = list(needed)
    for folder in own:
        if root == folder or any(path == folder for path in needed):
            raise Impossible(f"the tests, or what they import, are in {folder} itself")
    outer = [folder for folder in own if not (files and is_in(folder, root))]
    inner = [folder for folder in own if folder not in outer]
    order = [Step(TMPFS, folder) for folder in outer]
    hidden = [path for path in (*needed, root, *live) if any(is_in(path, folder) for folder in outer)]
    order += [Step(BIND, path) for path in _outermost(hidden)]
    if not files:
        return order
    order.append(Step(OVERLAY, root))
    order += [Step(TMPFS, folder) for folder in inner]
    # What an own folder inside the project hides comes back as it was; what is live would else be private.
    back = [path for path in needed if any(is_in(path, folder) for folder in inner)]
    back += [path for path in live if is_in(path, root)]
    order += [Step(BIND, path) for path in _outermost(back)]
    return order


def _outermost(paths: Iterable[str]) -> list[str]:
    """Sorted, without those inside another."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda path: (path.count("/"), path)):
        if not any(is_in(path, other) for other in kept):
            kept.append(path)
    return kept


def mounts_below(mountinfo: str, folder: str) -> list[str]:
    """Mount points inside a folder, from the text of ``/proc/self/mountinfo``: an overlay does not show them."""
    found = []
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if len(fields) > 4:
            point = fields[4].encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "surrogateescape")
            if point != folder and is_in(point, folder):
                found.append(point)
    return _outermost(found)
