"""What of the workers' output is to be shown live: the options, and what pytest's own mean for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .live import Live
    from .session import OutpaceSession

_NAME = re.compile(r"gw\d+")


def add_options(group: Any) -> None:
    group.addoption(
        "--follow",
        dest="outpace_follow",
        metavar="gwN",
        action="append",
        default=[],
        help="Show the output of this worker as it comes, also what is captured, and with -s that of no other; "
        "gw1,gw3 or the option twice for two.",
    )


def followed(config: pytest.Config) -> frozenset[str]:
    names = [name for value in config.option.outpace_follow for name in value.split(",")]
    for name in names:
        if not _NAME.fullmatch(name):
            raise pytest.UsageError(f"--follow {name}: not the name of a worker, as gw0 and gw3 are")
    if names and _capture(config) == "sys":
        raise pytest.UsageError("--follow cannot read along with --capture=sys: choose fd (the default), tee-sys or no")
    return frozenset(names)


def _capture(config: pytest.Config) -> str:
    capture: str = getattr(config.option, "capture", "no")
    return capture


def shows_streams(config: pytest.Config) -> bool:
    """Whether a serial run would show what tests write."""
    return _capture(config) in ("no", "tee-sys")


def shows_log(config: pytest.Config) -> bool:
    if not config.pluginmanager.hasplugin("logging-plugin"):
        return False
    return config.getoption("log_cli_level", None) is not None or bool(config.getini("log_cli"))


def live(session: OutpaceSession) -> Live | None:
    """What shows it; None where there is nothing to show."""
    config = session.config
    if not followed(config) and not shows_streams(config) and not shows_log(config):
        return None
    from .live import Live

    return Live(session)
