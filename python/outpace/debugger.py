"""``--pdb``, ``--trace`` and ``breakpoint()`` in a parallel run: the option, and what xdist would refuse.

The terminal goes to one worker at a time: :mod:`outpace.controller.lending` lends it, :mod:`outpace.worker.debugging`
uses it. Nothing here runs in a worker.
"""

from __future__ import annotations

from typing import Any

import pytest

from . import ini

_WAYS = ("wait", "run")


def add_options(parser: pytest.Parser, group: Any) -> None:
    group.addoption(
        "--pdb-others",
        dest="outpace_pdb_others",
        choices=_WAYS,
        default=None,
        help="What other workers do while one is in a debugger: finish their test and wait (the default), or run on.",
    )
    parser.addini("outpace_pdb_others", "What other workers do during a debugger: wait or run.", default="wait")


def others_wait(config: pytest.Config) -> bool:
    """Whether the other workers start nothing while one is in the debugger; raises ``pytest.UsageError``."""
    way: str = config.option.outpace_pdb_others or ini.choice(config, "outpace_pdb_others", _WAYS)
    return way == "wait"


def allow(config: pytest.Config) -> None:
    """xdist makes `-n auto --pdb` a serial run, and refuses `-n 2 --pdb`: it is not to see the option."""
    others_wait(config)
    if getattr(config.known_args_namespace, "usepdb", False):  # not there with `-p no:debugging`
        config.pluginmanager.register(_Hide(), "outpace-pdb-hide")
        config.pluginmanager.register(_Show(), "outpace-pdb-show")


class _Hide:
    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        config.option.outpace_usepdb = config.option.usepdb
        config.option.usepdb = False


class _Show:
    """After xdist's, which is a ``tryfirst``, and before pytest's own, which runs the session."""

    @pytest.hookimpl
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        config.option.usepdb = config.option.outpace_usepdb


def check_plain(config: pytest.Config, reason: str) -> None:
    """xdist's refusal, for a run that outpace leaves to it."""
    if config.getoption("usepdb", False):
        raise pytest.UsageError(
            f"--pdb is incompatible with distributing tests where outpace is not used ({reason}); try using -n0"
        )
