"""Which mounts make a worker's view of the file system, and in which order. Pure: it looks at nothing.

Everything is put together from paths that are absolute and free of symbolic links. What a mount hides, and must stay
visible, is bound back from the file system as it was before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

TMPFS, OVERLAY, BIND = "tmpfs", "overlay", "bind"
_NEEDED, _LIVE = "needed", "live"
# Of wishes for the same path.
_RANKS = (TMPFS, _NEEDED, OVERLAY, _LIVE)


class Step(NamedTuple):
    """``tmpfs`` and ``overlay`` on ``target``; ``bind`` of what was at ``target`` before."""

    kind: str
    target: str


class Impossible(Exception):
    """No order of mounts gives what is wanted; the message says why."""


def is_in(path: str, folder: str) -> bool:
    """Also the folder itself."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def steps(
    *,
    root: str,
    files: bool,
    own: Sequence[str],
    needed: Iterable[str],
    live: Iterable[str],
    databases: Sequence[str] = (),
) -> list[Step]:
    """The mounts in order: from the outside inwards, so that none hides an earlier one.

    ``root`` is the project's folder, to be overlaid if ``files``, and so are the folders of ``databases``. ``own`` are
    the folders that become empty ones of the worker's. ``needed`` are paths that must be as they were (the interpreter,
    say); through an overlay they are. ``live`` are paths where a write must be seen outside.
    """
    own, needed, live = _outermost(own), list(needed), list(live)
    if files and root == "/":
        raise Impossible("the project folder is the root of the file system")
    for folder in own:
        if root == folder or any(path == folder for path in needed):
            raise Impossible(f"the tests, or what they import, are in {folder} itself")
    _check_databases(databases, own, live)
    wishes = {TMPFS: own, _LIVE: live, _NEEDED: [*needed, root, *databases], OVERLAY: [root, *databases] * files}
    wanted = [(kind, path) for kind, paths in wishes.items() for path in paths]
    order: list[Step] = []
    for kind, path in sorted(set(wanted), key=lambda each: (each[1].count("/"), each[1], _RANKS.index(each[0]))):
        # The nearest mount decides what is there.
        around = next((step.kind for step in reversed(order) if is_in(path, step.target)), BIND)
        if kind == TMPFS:
            order.append(Step(TMPFS, path))
        elif kind == OVERLAY and (path == root or around != OVERLAY):
            order.append(Step(OVERLAY, path))
        elif (kind == _NEEDED and around == TMPFS) or (kind == _LIVE and around != BIND):
            order.append(Step(BIND, path))
    return order


def _check_databases(databases: Sequence[str], own: Sequence[str], live: Sequence[str]) -> None:
    for folder in databases:
        if folder == "/":
            why = "is the root of the file system"
        elif folder in own:
            why = "is an empty one of each worker's own"
        elif folder in live:
            why = "is exposed, or holds the folders of tmp_path"
        else:
            continue
        raise Impossible(
            f"a database's file is in {folder} itself, which {why}: each worker is to have that folder with a file of "
            "its own in it. Move the file into a folder for itself, or give its address in `url-env`"
        )


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
