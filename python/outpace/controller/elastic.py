"""How many workers `-n auto` may grow to while tests wait, and the growing.

The coordinator decides when; this module knows who must not be grown: runs whose number of workers somebody chose.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest

from . import workers

if TYPE_CHECKING:
    from .session import OutpaceSession

# Per worker that the run begins with, and in all.
PER_CORE = 16
MOST = 128

_was_auto = pytest.StashKey[bool]()
_OWN = ("xdist", "outpace")


def add_options(parser: pytest.Parser, group: Any) -> None:
    group.addoption(
        "--max-workers",
        dest="outpace_max_workers",
        metavar="N",
        type=_count,
        default=None,
        help="The most workers that `-n auto` may have while tests wait (default: 16 per core, at most 128).",
    )
    parser.addini("outpace_max_workers", "The most workers that `-n auto` may have while tests wait.", default="")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of workers")
    return int(text)


def note_option(config: pytest.Config) -> None:
    """Called before xdist puts a number in the place of the word."""
    config.stash[_was_auto] = config.option.numprocesses in ("auto", "logical")


def most_workers(config: pytest.Config) -> int:
    """The most workers at one time; 0 when the run keeps those it begins with."""
    option = config.option
    if (
        not config.stash.get(_was_auto, False)
        or workers.chosen_by_user
        or option.dist == "each"
        or _has_own_scheduler(config)
    ):
        return 0
    begins_with = len(option.tx)
    limit = option.outpace_max_workers
    if limit is None:
        given = config.getini("outpace_max_workers")
        limit = _from_ini(given, config) if given else min(PER_CORE * begins_with, MOST)
    if option.maxprocesses:
        limit = min(limit, option.maxprocesses)
    return limit if limit > begins_with else 0


def _from_ini(text: str, config: pytest.Config) -> int:
    try:
        return _count(text)
    except argparse.ArgumentTypeError:
        message = f"outpace_max_workers = {text!r} in {config.inipath}: not a number of workers"
        raise pytest.UsageError(message) from None


def _has_own_scheduler(config: pytest.Config) -> bool:
    implementations = config.hook.pytest_xdist_make_scheduler.get_hookimpls()
    return any(not _module(each.plugin).startswith(_OWN) for each in implementations)


def _module(plugin: Any) -> str:
    return str(getattr(plugin, "__name__", None) or type(plugin).__module__)


def grow(session: OutpaceSession, count: int) -> None:
    if session.shuttingdown:
        return
    pattern = next(iter(session.nodemanager.by_number.values()))
    for _ in range(count):
        session.replace(pattern)


def summary_line(pool: dict[str, Any] | None, began_with: int) -> str | None:
    """Nothing where the run did not grow."""
    if pool is None or pool["workers"] <= began_with:
        return None
    busy = "" if pool["busy"] is None else f", CPU {pool['busy']:.0%} busy"
    return f"outpace: up to {pool['workers']} workers while tests waited{busy}"
