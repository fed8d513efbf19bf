"""Reports that nobody but the terminal's statistics looks at: the setup and teardown of a test that passes.

pytest tells every plugin of three reports a test. Where the only ones that listen are pytest's own, two of the three
do nothing but join a list, and the start of a test changes nothing on the screen; so they go there without a hook call.
As soon as anybody else listens, or pytest's own would do more, every hook is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outpace import pytest_private

if TYPE_CHECKING:
    import pytest

# What they do with the report of a setup or teardown that passed: nothing, but for the terminal.
_INDIFFERENT = (
    "_pytest.terminal",
    "_pytest.main",
    "_pytest.logging",
    "_pytest.cacheprovider",
    "_pytest.stepwise",
    "_pytest.runner",
    "_pytest.skipping",
    "_pytest.subtests",
    "outpace.controller.",
    "xdist.",
)


class Unseen:
    def __init__(self, config: pytest.Config) -> None:
        hook: Any = config.hook
        self._config = config
        self._report_hooks = (hook.pytest_runtest_logreport, hook.pytest_report_teststatus)
        self._start_hooks = (hook.pytest_runtest_logstart,)
        self._listeners = -1
        self._nobody_cares = self._starts = False
        self._list: list[Any] | None = None

    def look(self) -> None:
        """Find out who listens; called before each batch of reports, because plugins come and go."""
        listeners = sum(len(hook.get_hookimpls()) for hook in (*self._report_hooks, *self._start_hooks))
        if listeners != self._listeners:
            self._listeners = listeners
            self._list = None
            self._nobody_cares = _indifferent(self._report_hooks)
            self._starts = _indifferent(self._start_hooks) and pytest_private.shows_no_starts(self._terminal())
        if self._list is None and self._nobody_cares:
            self._list = pytest_private.uncounted_reports(self._terminal())

    def _terminal(self) -> Any:
        return self._config.pluginmanager.getplugin("terminalreporter")

    def takes(self, report: Any) -> bool:
        """Whether the report has been dealt with. It is one of a phase that passed, as plain as they come."""
        reports = self._list
        if reports is None or report.when == "call":
            return False
        reports.append(report)
        return True

    def takes_start(self) -> bool:
        return self._starts


def _indifferent(hooks: tuple[Any, ...]) -> bool:
    return all(_module(each.plugin).startswith(_INDIFFERENT) for hook in hooks for each in hook.get_hookimpls())


def _module(plugin: Any) -> str:
    return str(getattr(plugin, "__name__", None) or type(plugin).__module__)
