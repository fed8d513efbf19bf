"""Is the template safe to fork? Reasons why not, one short line each for the header of the run.

A suite that decides by the worker's id, opens connections, or starts threads while it is imported and configured gets
what it asked for once under a fork, and once per worker otherwise. :class:`TracedEnviron` and :class:`RecordingInput`
watch from before any code of the user's runs; :func:`findings` looks at the process once collection is over. Without a
finding the template may fork. What cannot be seen from here (names made unique by time or pid at import) is for the
user to say, with ``--start-method spawn``.

Nothing here changes what the suite sees, except the class of ``os.environ`` while it is watched.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outpace.worker import process_facts
from outpace.worker.repairs_plugins import known_descriptors, known_files
from outpace.worker.watched import WORKER_VARIABLE, Read, RecordingInput, TracedEnviron

if TYPE_CHECKING:
    import pytest

__all__ = ["WORKER_VARIABLE", "Baseline", "Finding", "Read", "RecordingInput", "TracedEnviron", "findings", "snapshot"]

# Packages that copy the environment to find in it what the project has declared.
_SETTINGS = ("pydantic_settings", "pydantic", "environs", "environ", "decouple", "dynaconf", "goodconf")

_GRPC_THREADS = ("grpc_", "event_engine", "resolver-execut", "default-execut", "timer_manager")


@dataclass(frozen=True)
class Finding:
    """One reason not to fork. ``code`` is for programs, ``message`` for people."""

    code: str
    message: str


@dataclass(frozen=True)
class Baseline:
    """The process before any code of the user's ran."""

    descriptors: Mapping[int, str]
    children: frozenset[int]
    native_threads: int


def snapshot() -> Baseline:
    return Baseline(
        process_facts.open_descriptors(), frozenset(process_facts.children()), len(process_facts.native_threads())
    )


def findings(
    baseline: Baseline, environ: TracedEnviron, workerinput: RecordingInput, config: pytest.Config
) -> list[Finding]:
    """Every reason not to fork this process now; the most telling first."""
    if not hasattr(os, "fork") or sys.platform == "win32":
        return [Finding("platform", "this platform cannot fork")]
    return [
        *threads(),
        *_reads([*environ.reads, *workerinput.reads], environ.names, config),
        *_children(baseline),
        *_descriptors(baseline, config),
        *libraries(),
    ]


def threads() -> Iterable[Finding]:
    """Python's own. Those of native libraries (OpenBLAS, OpenMP) are theirs to stop and start around a fork."""
    names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if names:
        yield Finding("threads", f"{_count(len(names), 'a thread', 'threads')} alive: {_some(names)}")


def _reads(reads: Iterable[Read], variables: frozenset[str], config: pytest.Config) -> Iterable[Finding]:
    """One finding per place.

    Settings libraries and calls of subprocesses copy the whole environment and never look at the worker's id, so a copy
    counts only if the text of the file that made it has the name. Another variable is what settings libraries look for.
    """
    seen = set()
    for read in reads:
        place = (read.filename, read.lineno)
        if read.harmless or place in seen or (read.kind == "whole" and not _is_looked_for(read)):
            continue
        seen.add(place)
        where = f"{_shorten(read.filename, str(config.rootpath))}:{read.lineno}"
        name = read.name if read.name in variables else f'workerinput["{read.name}"]'
        yield Finding("worker-id", f"{where} read {name} before the fork")


def _is_looked_for(read: Read) -> bool:
    """Of a copy of everything."""
    if read.name != WORKER_VARIABLE and any(f"{os.sep}{name}{os.sep}" in read.filename for name in _SETTINGS):
        return True
    return _mentions(read.filename, read.name)


def _mentions(filename: str, name: str) -> bool:
    with suppress(OSError), open(filename, encoding="utf-8", errors="replace") as file:
        return name in file.read()
    return False


def _children(baseline: Baseline) -> Iterable[Finding]:
    new = {pid: name for pid, name in process_facts.children().items() if pid not in baseline.children}
    if new:
        names = [f"{name} ({pid})" for pid, name in new.items()]
        yield Finding(
            "child-process", f"{_count(len(new), 'a child process', 'child processes')} alive: {_some(names)}"
        )


def _descriptors(baseline: Baseline, config: pytest.Config) -> Iterable[Finding]:
    descriptors, files = known_descriptors(config), known_files(config)
    found: dict[process_facts.Kind, list[str]] = {}
    for fd, target in process_facts.open_descriptors().items():
        if baseline.descriptors.get(fd) == target or fd in descriptors or target in files:
            continue
        kind = process_facts.unsafe_kind(fd, target)
        if kind is not None:
            found.setdefault(kind, []).append(process_facts.describe(fd, target))
    for kind, names in found.items():
        yield Finding(kind.code, f"{_count(len(names), kind.one, kind.many)} open: {_some(sorted(set(names)))}")


def libraries() -> Iterable[Finding]:
    """Libraries whose state does not survive a fork, or that replace what a fork relies on."""
    for code, module, name in (
        ("gevent", "gevent.monkey", "is_module_patched"),
        ("eventlet", "eventlet.patcher", "is_monkey_patched"),
    ):
        if any(_call(module, name, patched) for patched in ("os", "socket", "thread", "threading")):
            yield Finding(code, f"{code} has patched the standard library")
    if _call("torch.cuda", "is_initialized"):
        yield Finding("cuda", "torch.cuda is initialised")
    if getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None):
        yield Finding("jax", "jax has started a backend")
    if "grpc" in sys.modules and any(name.startswith(_GRPC_THREADS) for name in process_facts.native_threads()):
        yield Finding("grpc", "grpc has started its threads")
    if _call("asyncio", "_get_running_loop") is not None:
        yield Finding("event-loop", "an asyncio event loop is running")


def _call(module: str, name: str, *arguments: object) -> object:
    """The function's answer, None where the module is not loaded or is not what it is taken for."""
    function = getattr(sys.modules.get(module), name, None)
    try:
        return None if function is None else function(*arguments)
    except Exception:
        return None


def _shorten(filename: str, root: str) -> str:
    """The path as the user knows it: from the project's root, or from where Python imports."""
    for folder in (root, *sorted(sys.path, key=len, reverse=True)):
        if folder and filename.startswith(os.path.join(folder, "")):
            return os.path.relpath(filename, folder)
    return filename


def _count(number: int, one: str, many: str) -> str:
    return f"{one} is" if number == 1 else f"{number} {many} are"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
