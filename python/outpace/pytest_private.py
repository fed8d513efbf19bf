"""Every use of a name that pytest does not document, and of no other package's.

Each function answers for pytest 7.4 to 9.2 and for a session in which the plugin behind the name is switched off
(``-p no:capture`` and the like): it then returns nothing, it does not raise. No other module of outpace may touch an
underscored attribute of pytest. The functions are in the order of their names.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    import pytest


def add_section(report: Any, name: str, text: str) -> None:
    """To what a failed report shows of its failure, so that every reporter shows it; else to its sections."""
    add = getattr(report.longrepr, "addsection", None)
    if add is not None:
        add(name, text)
    else:
        report.sections.append((name, text))


def capture_files(config: pytest.Config) -> tuple[list[Any], list[int]]:
    """The files that capture writes to, and the copies of standard descriptors that pytest keeps."""
    captures = fd_captures(config)
    files = [capture.tmpfile for capture in captures if hasattr(capture, "tmpfile")]
    saved = [capture.targetfd_save for capture in captures]
    with contextlib.suppress(ImportError, AttributeError, KeyError):
        saved.append(config.stash[importlib.import_module("_pytest.faulthandler").fault_handler_stderr_fd_key])
    return files, saved


def copy_item(item: pytest.Item) -> pytest.Item:
    """The same test once more, with fixtures of its own: it can follow itself in a session."""
    twin = copy.copy(item)
    renew = getattr(twin, "_initrequest", None)
    if renew is not None:
        renew()
    return twin


def drop_paste(config: pytest.Config) -> None:
    """Switch ``--pastebin`` off: close the copy of the terminal's text, put the terminal's own ``write`` back."""
    if getattr(config.option, "pastebin", None) is None:
        return
    config.option.pastebin = None
    key = getattr(importlib.import_module("_pytest.pastebin"), "pastebinfile_key", None)
    if key is None or key not in config.stash:
        return
    config.stash[key].close()
    del config.stash[key]
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if "write" in vars(getattr(reporter, "_tw", config)):
        del reporter._tw.write


def exception_queues(config: pytest.Config) -> list[deque[Any]]:
    """Unraisable and thread exceptions that wait for the next test to be reported (pytest >= 8.4)."""
    queues = []
    for module, name in (
        ("_pytest.unraisableexception", "unraisable_exceptions"),
        ("_pytest.threadexception", "thread_exceptions"),
    ):
        with contextlib.suppress(ImportError, AttributeError, KeyError):
            queues.append(config.stash[getattr(importlib.import_module(module), name)])
    return queues


def fd_captures(config: pytest.Config) -> list[Any]:
    """The captures of file descriptors 0, 1, 2 of this session; empty with ``-s`` and ``--capture=sys``."""
    manager = config.pluginmanager.getplugin("capturemanager")
    streams = getattr(manager, "_global_capturing", None)
    captures = (getattr(streams, name, None) for name in ("in_", "out", "err"))
    return [capture for capture in captures if hasattr(capture, "targetfd_save")]


def is_caught_by_pytest(frame: FrameType) -> bool:
    """Whether ``frame`` is what ``CallInfo.from_call`` calls: what is raised above it becomes a report."""
    caller = frame.f_back
    if caller is None or caller.f_code.co_name != "from_call":
        return False
    if caller.f_globals.get("__name__") != "_pytest.runner":
        return False
    module = frame.f_globals.get("__name__", "")
    # What it calls outside of its `try` are clocks, constructors and the like.
    return not module.startswith("_pytest.") or frame.f_code.co_name in ("<lambda>", "collect")
def fixture_scope(item: pytest.Item, name: str) -> str:
    """The scope of a fixture that the test uses; empty where it is not known."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = getattr(info, "name2fixturedefs", {}).get(name, ())
    return str(getattr(definitions[-1], "scope", "")) if definitions else ""


def is_capturing(capture: Any) -> bool:
    """Whether the descriptor points at the capture's file just now (it does not while capture is suspended)."""
    return getattr(capture, "_state", None) == "started"


def move_tmp_paths(config: pytest.Config, basetemp: str | None) -> None:
    """Give ``tmp_path`` and its relatives a base folder of their own, made at first use."""
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is None:
        return
    if basetemp is not None:
        factory._given_basetemp = Path(basetemp)
        config.option.basetemp = basetemp
    factory._basetemp = None
    if hasattr(factory, "_next_number"):
        factory._next_number = {}
    if hasattr(factory, "_exit_stack"):
        factory._exit_stack = contextlib.ExitStack()


def new_config(args: list[str]) -> pytest.Config:
    """A ``Config`` with pytest's own plugins, before anything of the user's has been read."""
    from _pytest.config import get_config

    return get_config(args, None)


def parse_config(config: pytest.Config, args: list[str]) -> pytest.Config:
    """The rest of what ``pytest.main`` does before it runs a session."""
    try:
        parsed: pytest.Config = config.pluginmanager.hook.pytest_cmdline_parse(
            pluginmanager=config.pluginmanager, args=args
        )
        return parsed
    except BaseException:
        config._ensure_unconfigure()
        raise


def resolve_nextitem_at_teardown(config: pytest.Config, real: Callable[[object], object]) -> None:
    """Have ``pytest_runtest_teardown`` called with ``real(nextitem)`` in place of ``nextitem``.

    A hook wrapper cannot change an argument; the caller of this one hook can. Proxies of conftest-specific hooks share
    the caller.
    """
    hook: Any = config.hook.pytest_runtest_teardown
    execute = hook._hookexec

    def with_real_item(name: str, implementations: Any, arguments: dict[str, Any], firstresult: bool) -> object:
        if "nextitem" in arguments:
            arguments["nextitem"] = real(arguments["nextitem"])
        return execute(name, implementations, arguments, firstresult)

    hook._hookexec = with_real_item


def shows_no_starts(terminal: Any) -> bool:
    """Whether the terminal does nothing when a test starts."""
    return _is_pytests_own(terminal) and not terminal.showlongtestinfo and not terminal.showfspath


def set_program_name(config: pytest.Config, name: str) -> None:
    config._parser.prog = name


def uncounted_reports(terminal: Any) -> list[Any] | None:
    """The list that reports without a category join: setups and teardowns that passed.

    None where the terminal is another one, or before it has met such a report itself.
    """
    if not _is_pytests_own(terminal):
        return None
    found: list[Any] | None = terminal.stats.get("")
    return found


def _is_pytests_own(terminal: Any) -> bool:
    return getattr(type(terminal), "__module__", "") == "_pytest.terminal"


def worker_basetemp(config: pytest.Config, worker_id: str) -> str | None:
    """The base of a worker's temporary folders, inside the controller's own.

    Where that cannot be made the worker tries for itself, so that each test that wants a folder fails, as serially.
    """
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is None:
        return None
    try:
        base = factory.getbasetemp()
    except OSError:
        base = factory._given_basetemp
    return None if base is None else str(base / f"popen-{worker_id}")
