"""The ``pytest11`` plugin: options, the early start of the template, and the exchange of xdist's session for ours.

xdist stays the owner of its options, fixtures, marker and hooks. When a run is distributed, outpace's session is
registered in place of xdist's ``DSession``. In workers this module only adds its options and hooks.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from . import handover

handover.consider()

from . import debugger, entry, forked_start, garbage, ini, marks, own_process, timeouts
from .controller import elastic, heap, history, isolated, memory, retries, shown, timeline
from .database_fixtures import outpace_database_url, outpace_database_urls, outpace_rollback
from .fixtures import free_port, free_ports, worker_cache_dir, worker_slot, worker_tmp_path
from .launch import Coordinator, LaunchError, is_configuring_worker

if TYPE_CHECKING:
    from .controller.session import OutpaceSession

START_METHODS = ("auto", "fork", "spawn")

__all__ = [
    "free_port",
    "free_ports",
    "outpace_database_url",
    "outpace_database_urls",
    "outpace_rollback",
    "worker_cache_dir",
    "worker_slot",
    "worker_tmp_path",
]

_coordinator_key = pytest.StashKey[Coordinator]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("outpace", "outpace: parallel runs")
    group.addoption(
        "--start-method",
        dest="outpace_start_method",
        choices=START_METHODS,
        default=None,
        help="How workers start: forks of one collected process, processes of their own that each collect, or what is "
        "safe (auto, the default).",
    )
    parser.addini("outpace_start_method", "How workers start: auto, fork or spawn.", default="auto")
    parser.addini("outpace_serial", "When serial tests run: last or first.", default="last")
    isolated.add_options(group)
    timeouts.add_options(parser, group)
    retries.add_options(parser, group)
    elastic.add_options(parser, group)
    memory.add_options(parser, group)
    debugger.add_options(parser, group)
    shown.add_options(group)
    own_process.add_options(parser, group)
    history.add_options(parser, group)
    timeline.add_options(group)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    for description in marks.DESCRIPTIONS:
        config.addinivalue_line("markers", description)
    timeouts.register_marker(config)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from . import hooks

    pluginmanager.add_hookspecs(hooks)


def start_method(config: pytest.Config) -> str:
    method: str | None = config.known_args_namespace.outpace_start_method
    return method or ini.choice(config, "outpace_start_method", START_METHODS)


# ---------------------------------------------------------------- before the configuration


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Generator[None, Any, None]:
    """Start coordinator and template while this process still imports conftests: their start then costs nothing."""
    forked_start.note_configuration()
    if is_configuring_worker():
        yield
        return
    _begin(early_config)
    if will_distribute(early_config.known_args_namespace):
        garbage.look_less()
    yield
    garbage.look_as_before()


def _begin(config: pytest.Config) -> None:
    debugger.allow(config)
    distributes = will_distribute(config.known_args_namespace)
    if entry.layer is not None:
        entry.layer.fork_template(config)
    elif distributes:
        _start_early(config)
    settings = marks.settings_of(config)
    if settings.env:
        from . import worker_env

        worker_env.apply_early(config, settings.env)
    if settings.databases and not distributes:
        from .databases import roles

        roles.enter_early(config)


def _start_early(config: pytest.Config) -> None:
    try:
        fork = start_method(config) != "spawn" and forked_start.obstacle(config) is None
        given = [str(arg) for arg in config.invocation_params.args]
        config.stash[_coordinator_key] = Coordinator(forked_with=given if fork else None)
    except LaunchError as error:
        raise pytest.UsageError(f"outpace: {error}") from None
    config.add_cleanup(lambda: _close(config))


def will_distribute(known: Any) -> bool:
    """What the command line and ``addopts`` say so far; a conftest may still change it."""
    serial = ("help", "version", "collectonly", "showfixtures", "show_fixtures_per_test", "markers")
    if any(getattr(known, name, False) for name in serial) or getattr(known, "looponfail", False):
        return False
    workers = getattr(known, "numprocesses", None)
    if workers is None and not getattr(known, "tx", None):
        return entry.parallel_by_default
    return bool(workers) or (getattr(known, "dist", "no") != "no" and workers != 0)


def give_coordinator(config: pytest.Config, coordinator: Coordinator) -> None:
    """To a run that is a fork of a layer."""
    config.stash[_coordinator_key] = coordinator
    config.add_cleanup(lambda: _close(config))


def _close(config: pytest.Config) -> None:
    coordinator = config.stash.get(_coordinator_key, None)
    heap.restore()
    if coordinator is not None:
        del config.stash[_coordinator_key]
        coordinator.close()


# ---------------------------------------------------------------- the number of workers


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    if entry.layer is not None and not hasattr(config, "workerinput") and not is_configuring_worker():
        entry.layer.hold(config)
    if hasattr(config, "workerinput"):
        return
    settings = marks.settings_of(config)
    marks.is_serial_first(config)
    if not config.pluginmanager.hasplugin("xdist"):
        return
    option = config.option
    if getattr(option, "looponfail", False):
        raise pytest.UsageError("-f, --looponfail: xdist gives it up; run `outpace watch` with the other arguments")
    if settings.env:
        from . import worker_env

        worker_env.settle_run(config)
    restarts = option.maxworkerrestart
    if restarts is not None and not restarts.isdecimal():
        raise pytest.UsageError(f"--max-worker-restart={restarts}: not a number")
    if entry.parallel_by_default and option.numprocesses is None and not option.tx and not option.distload:
        option.numprocesses = "auto"
    elastic.note_option(config)


@pytest.hookimpl(hookwrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, Any, None]:
    """xdist's own answer does not know cgroup quotas; a project's hook or the environment has the last word."""
    from .controller.workers import usable_workers

    outcome = yield
    coordinator = config.stash.get(_coordinator_key, None)
    if coordinator is not None and outcome.excinfo is None:
        count = usable_workers(config, coordinator, outcome.get_result())
        outcome.force_result(count)


# ---------------------------------------------------------------- what tests say of themselves


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    config = session.config
    found = config.stash[marks.marks_key] = marks.evaluate(config, session.items)
    if not hasattr(config, "workerinput") and (found.facts or found.unmatched):
        config.pluginmanager.register(marks.Alone(found), "outpace-alone")


# ---------------------------------------------------------------- the exchange


@pytest.hookimpl
def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """xdist registers its session when the run is to be distributed: that is the moment to put ours there."""
    xdist_session = getattr(sys.modules.get("xdist.dsession"), "DSession", None)
    if xdist_session is not None and type(plugin) is xdist_session and manager.hasplugin("dsession"):
        _take_over(plugin.config)  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if not config.pluginmanager.hasplugin("dsession"):
        _close(config)
    if marks.settings_of(config).databases:
        from .databases import roles

        roles.take(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    of_layers = [] if entry.note is None else [f"outpace: {entry.note}"]
    return [*of_layers, *_without_workers(config)]


def _without_workers(config: pytest.Config) -> list[str]:
    """Runs that outpace does not drive have no workers to isolate."""
    session = config.pluginmanager.getplugin("dsession")
    if type(session).__module__.startswith("outpace."):
        return []
    lines = timeline.header(config)
    databases = marks.settings_of(config).databases.values()
    if session is not None and any(each.strategy == "clone" for each in databases):
        lines.append("outpace: databases are not cloned: that is for outpace's workers")
        return lines
    if config.getoption("outpace_isolate") is None and marks.settings_of(config).isolate is None:
        return lines
    from . import isolation

    kinds = isolation.settings(config).kinds
    if kinds:
        lines.append(f"outpace: not isolated ({', '.join(kinds)}): that is for outpace's workers")
    return lines


def _take_over(config: pytest.Config) -> None:
    from .controller.eligibility import obstacle
    from .controller.session import OutpaceSession

    manager = config.pluginmanager
    option = config.option
    if option.showfixtures or option.show_fixtures_per_test:
        # These print what this process collects; with workers there is nothing to print.
        _remove(config, "dsession", "terminaldistreporter")
        option.dist, option.tx = "no", []
        return _close(config)
    reason = obstacle(config)
    if reason is not None:
        debugger.check_plain(config, reason)
        manager.register(_Notice(f"outpace: not used, {reason}; this run is xdist's"), "outpace-notice")
        return _close(config)
    method, times = start_method(config), timeouts.timeouts(config)
    coordinator = _coordinator(config)
    _remove(config, "dsession", "terminaldistreporter")
    session: OutpaceSession = OutpaceSession(config, coordinator, method, times)
    manager.register(session, "dsession")


def _coordinator(config: pytest.Config) -> Coordinator:
    coordinator = config.stash.get(_coordinator_key, None)
    try:
        if coordinator is None:
            coordinator = config.stash[_coordinator_key] = Coordinator()
            config.add_cleanup(lambda: _close(config))
        coordinator.welcome()
    except LaunchError as error:
        raise pytest.UsageError(f"outpace: {error}") from None
    return coordinator


def _remove(config: pytest.Config, *names: str) -> None:
    for name in names:
        if config.pluginmanager.hasplugin(name):
            config.pluginmanager.unregister(name=name)


class _Notice:
    def __init__(self, line: str) -> None:
        self.line = line

    def pytest_report_header(self) -> str:
        return self.line
