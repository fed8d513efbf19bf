"""Every use of a name that pytest does not document, and of no other package's.

Each function answers for pytest 7.4 to 9.2 and for a session in which the plugin behind the name is switched off
(``-p no:capture`` and the like): it then returns nothing, it does not raise. No other module of outpace may touch an
underscored attribute of pytest. The functions are in the order of their names.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import gc
import importlib
import os
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Sequence

    import pytest


# What only the command itself calls.
_COMMANDS = ("console_main", "_console_main")


def add_section(report: Any, name: str, text: str) -> None:
    """To what a failed report shows of its failure, so that every reporter shows it; else to its sections."""
    add = getattr(report.longrepr, "addsection", None)
    if add is not None:
        add(name, text)
    else:
        report.sections.append((name, text))


def before_debugger(config: pytest.Config, before: Callable[[str], None]) -> None:
    """Call ``before(method)`` when pytest is about to enter a debugger in this session, before it suspends capture.

    ``method`` is pytest's own word for the way in: ``set_trace``, ``post_mortem``, ``runcall``.
    """
    pdb: Any = getattr(sys.modules.get("_pytest.debugging"), "pytestPDB", None)
    init = getattr(pdb, "_init_pdb", None)
    if init is None:
        return

    def _init_pdb(cls: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if cls._config is config:
            before(method)
        return init(method, *args, **kwargs)

    pdb._init_pdb = classmethod(_init_pdb)


def append_to_log_file(config: pytest.Config) -> None:
    """Have what this process adds to ``log_file`` written after what other processes have added."""
    handler: Any = getattr(config.pluginmanager.getplugin("logging-plugin"), "log_file_handler", None)
    if handler is not None and handler.baseFilename != os.path.abspath(os.devnull):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            fd = handler.stream.fileno()
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)


def cache_folder(config: pytest.Config, name: str) -> Path:
    """A folder of that name in pytest's cache, which gets its README and the like as if pytest had made it."""
    cache: Any = config.cache
    ensure = getattr(cache, "_ensure_supporting_files", None)
    if ensure is not None and not cache._cachedir.exists():  # until pytest 8.2 `mkdir` leaves that out
        cache._cachedir.mkdir(parents=True)
        ensure()
    folder: Path = cache.mkdir(name)
    return folder


def cache_root(config: pytest.Config) -> str | None:
    """The folder of pytest's cache, where the session has one by now."""
    root = getattr(getattr(config, "cache", None), "_cachedir", None)
    return None if root is None else str(root)


def capture_files(config: pytest.Config) -> tuple[list[Any], list[int]]:
    """The files that capture writes to, and the copies of standard descriptors that pytest keeps."""
    captures = fd_captures(config)
    files = [capture.tmpfile for capture in captures if hasattr(capture, "tmpfile")]
    saved = [capture.targetfd_save for capture in captures]
    with contextlib.suppress(ImportError, AttributeError, KeyError):
        saved.append(config.stash[importlib.import_module("_pytest.faulthandler").fault_handler_stderr_fd_key])
    return files, saved


def collect_no_more_than_there_is() -> None:
    """At its end pytest collects garbage five times, all of the heap; where nothing was found nothing will be."""
    with contextlib.suppress(ImportError):
        unraisable: Any = importlib.import_module("_pytest.unraisableexception")
        unraisable.gc_collect_harder = _collect_until_nothing_is_found


def _collect_until_nothing_is_found(iterations: int) -> None:
    for _ in range(iterations):
        if not gc.collect():
            return


def config_being_made(callers: Sequence[FrameType]) -> pytest.Config | None:
    """The one whose command line is being read by these functions: its own command's, before anything is captured."""
    import pytest

    names = [str(frame.f_globals.get("__name__")) for frame in callers]
    bottom = names.index("__main__") if "__main__" in names else 0
    if bottom == 0 or names[bottom - 1] != "_pytest.config" or callers[bottom - 1].f_code.co_name not in _COMMANDS:
        return None
    found = {id(config): config for frame in callers if isinstance(config := frame.f_locals.get("self"), pytest.Config)}
    for config in found.values():
        is_first = len(found) == 1 and list(config.invocation_params.args) == sys.argv[1:]
        if is_first and not config.pluginmanager.hasplugin("capturemanager"):
            return config
    return None


def copy_item(item: pytest.Item) -> pytest.Item:
    """The same test once more, with fixtures of its own: it can follow itself in a session."""
    twin = copy.copy(item)
    renew = getattr(twin, "_initrequest", None)
    if renew is not None:
        renew()
    return twin


def descriptors_of(config: pytest.Config, fd: int) -> tuple[list[int], Any]:
    """Where the real stream ``fd`` is to be found: in the copy that capture keeps, at its own place, or at both.

    The second is what captures the descriptor, if anything does.
    """
    for capture in fd_captures(config):
        if capture.targetfd == fd:
            places = [capture.targetfd_save]
            return (places if is_capturing(capture) else [*places, fd]), capture
    return [fd], None


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


def fault_handler_descriptor(config: pytest.Config) -> int | None:
    """pytest's copy of standard error, to which the stacks of a crash are written."""
    with contextlib.suppress(ImportError, AttributeError, KeyError):
        key = importlib.import_module("_pytest.faulthandler").fault_handler_stderr_fd_key
        fd: int = config.stash[key]
        return fd
    return None


def fd_captures(config: pytest.Config) -> list[Any]:
    """The captures of file descriptors 0, 1, 2 of this session; empty with ``-s`` and ``--capture=sys``."""
    manager = config.pluginmanager.getplugin("capturemanager")
    streams = getattr(manager, "_global_capturing", None)
    captures = (getattr(streams, name, None) for name in ("in_", "out", "err"))
    return [capture for capture in captures if hasattr(capture, "targetfd_save")]


def follow_capture(capture: Any, path: str) -> int:
    """Capture into the file at ``path``, which only grows: another process reads along. Returns its descriptor."""
    fd: int = capture.tmpfile.fileno()
    start = 0

    def snap() -> str:
        nonlocal start
        end = os.fstat(fd).st_size
        data, start = os.pread(fd, end - start, start), end
        return data.decode("utf-8", "replace")

    ours = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    os.write(ours, os.pread(fd, os.fstat(fd).st_size, 0))
    os.dup2(ours, fd, inheritable=False)
    if is_capturing(capture):
        os.dup2(ours, capture.targetfd)
    os.close(ours)
    capture.snap = snap
    return fd


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


def runner_file() -> str:
    """The file of the code that runs the phases of a test, as frames name it."""
    from _pytest import runner

    return runner.runtestprotocol.__code__.co_filename


def is_debugger_nested() -> bool:
    """Whether pdb's own ``debug`` command runs a debugger inside of the debugger."""
    pdb = getattr(sys.modules.get("_pytest.debugging"), "pytestPDB", None)
    return bool(getattr(pdb, "_recursive_debug", 0))


def is_capturing(capture: Any) -> bool:
    """Whether the descriptor points at the capture's file just now (it does not while capture is suspended)."""
    return getattr(capture, "_state", None) == "started"


def mark_shown(report: Any) -> None:
    """The debugger has shown this failure: the summary does not repeat it."""
    report._pdbshown = True


def match_markup(config: pytest.Config, terminal: int) -> None:
    """Let the reporter write as it would to this terminal."""
    writer = getattr(config.pluginmanager.getplugin("terminalreporter"), "_tw", None)
    if writer is None:
        return
    from _pytest.config import create_terminal_writer

    with os.fdopen(os.dup(terminal), "w") as file:
        like = create_terminal_writer(config, file)
        writer.hasmarkup = like.hasmarkup


def keep_log_file(config: pytest.Config) -> None:
    """Before this session is configured: its ``log_file`` is appended to; the controller has made it."""
    if not config.pluginmanager.hasplugin("logging"):
        return
    module: Any = importlib.import_module("_pytest.logging")
    original = module._FileHandler

    def appending(filename: str, mode: str = "w", **options: Any) -> Any:
        module._FileHandler = original
        return original(filename, mode="a", **options)

    module._FileHandler = appending


def lead_live_log(config: pytest.Config, stream: Any) -> None:
    """Have the handler of ``log_cli`` write there in place of the terminal, if it is at work."""
    handler: Any = getattr(config.pluginmanager.getplugin("logging-plugin"), "log_cli_handler", None)
    if hasattr(handler, "stream"):
        handler.stream = stream
        # What it writes does not go through what is captured.
        handler.capture_manager = None


def make_tmp_base(config: pytest.Config) -> None:
    """Now, so that forks share it: the one that makes it empties it."""
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is not None:
        with contextlib.suppress(OSError):  # then a test that wants it tells
            factory.getbasetemp()


def number_tmp_paths_anew(config: pytest.Config) -> None:
    """Other forks have made folders of which this process does not know."""
    factory = getattr(config, "_tmp_path_factory", None)
    if hasattr(factory, "_next_number"):
        factory._next_number = {}  # type: ignore[union-attr]


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


def rewriting_finder() -> Any:
    """Who finds and loads test files; None with ``--assert=plain``."""
    from _pytest.assertion.rewrite import AssertionRewritingHook

    return next((finder for finder in sys.meta_path if isinstance(finder, AssertionRewritingHook)), None)


def run_command() -> int:
    """What pytest's own command does."""
    module: Any = importlib.import_module("_pytest.config")
    return int((getattr(module, "_console_main", None) or module.console_main)())


def shows_no_starts(terminal: Any) -> bool:
    """Whether the terminal does nothing when a test starts."""
    return _is_pytests_own(terminal) and not terminal.showlongtestinfo and not terminal.showfspath


def set_program_name(config: pytest.Config, name: str) -> None:
    config._parser.prog = name


def silence_terminal(config: pytest.Config) -> None:
    """What the terminal reporter of this process writes goes nowhere."""
    writer: Any = getattr(config.pluginmanager.getplugin("terminalreporter"), "_tw", None)
    if hasattr(writer, "_file"):
        writer._file = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process


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
