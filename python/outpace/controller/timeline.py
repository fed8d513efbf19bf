"""``--timeline FILE``: the option. What it needs is imported where it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from outpace.timeline.recorder import Recorder

    from .session import OutpaceSession


def add_options(group: Any) -> None:
    group.addoption(
        "--timeline",
        dest="outpace_timeline",
        metavar="FILE",
        default=None,
        help="Write down which worker did what when: a page to look at (.html), or a trace for Perfetto (.json).",
    )


def recorder(session: OutpaceSession) -> Recorder | None:
    """Raises ``pytest.UsageError`` where the file cannot be written."""
    if session.config.option.outpace_timeline is None:
        return None
    from outpace.timeline.recorder import Recorder

    return Recorder.register(session)


def header(config: pytest.Config) -> list[str]:
    """For runs that are not outpace's."""
    given = config.getoption("outpace_timeline", None)
    return [] if given is None else ["outpace: no timeline is written: that is for outpace's workers"]
