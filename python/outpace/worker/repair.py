"""What a forked worker puts right before its first test, and what it does at its end.

A worker is a fork of the *template*: a pytest session in worker role that has collected, stands in
``pytest_runtestloop`` with capture suspended, and never runs a test. Nearly everything a fork inherits is right as it
is (the assertion rewriter, logging, faulthandler, the stash, the fixtures); :data:`REPAIRS` holds the rest, in the
order in which it must happen. Each repair is silent where what it repairs is not there, and names itself when it fails.

Use, in the template and in each child::

    template = Template.prepare(config)
    template.before_fork()
    if os.fork() == 0:
        repair(config, identity, template)
        ...  # run tests, return through the stack of hooks
        finish(config, template)
        os._exit(0)

This module starts no process, sends nothing, and runs no test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outpace import pytest_private
from outpace.worker import repairs_plugins as plugins
from outpace.worker import repairs_process as process
from outpace.worker import repairs_pytest as core
from outpace.worker import seeding, writers

if TYPE_CHECKING:
    import pytest

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Identity:
    """Who the new worker is."""

    worker_id: str
    workerinput: dict[str, object]
    basetemp: str | None
    close_fds: tuple[int, ...]
    template_pid: int


@dataclass
class Template:
    """What the template remembers for its forks."""

    signals: Mapping[int, Any]
    seeds: seeding.Seeds
    writers: writers.Writers
    file_locks: list[Any]
    forks: int = 0
    kept: list[object] = field(default_factory=list)

    @classmethod
    def prepare(
        cls,
        config: pytest.Config,
        *,
        signals: Mapping[int, Any] | None = None,
        random_start: object = None,
        descriptors: Iterable[int] = (),
    ) -> Template:
        """Make the process ready for its first fork.

        ``signals`` maps each signal the template handles itself to the handler that was there before. ``random_start``
        is what :func:`outpace.worker.seeding.watch` returned before any code of the user's ran. ``descriptors`` are the
        template's own, which no file object writes to. From here on the template is of no use as a worker: connections
        of plugins are closed, each fork opens its own.
        """
        process.resolve()
        plugins.release(config)
        seeds = seeding.Seeds.take(random_start, seeded=config.pluginmanager.hasplugin("randomly"))
        file_locks = plugins.file_locks()  # before the heap is frozen: what is frozen cannot be listed
        files, saved = pytest_private.capture_files(config)
        open_files = writers.Writers.freeze_heap(files, {*descriptors, *saved})
        template = cls(dict(signals or {}), seeds, open_files, file_locks)
        template.kept.append(process.current_event_loop())
        return template

    def before_fork(self) -> None:
        """Call right before each fork: what is in a buffer would be written by both processes."""
        self.forks += 1
        self.writers.flush()


@dataclass(frozen=True)
class Repair:
    """One thing to put right, and why."""

    name: str
    reason: str
    apply: Callable[[pytest.Config, Identity, Template], None]


REPAIRS: tuple[Repair, ...] = (
    Repair("close_fds", "an inherited pipe of a sibling hides the sibling's death", process.close_fds),
    Repair(
        "signals", "the template's handlers are not the worker's, and a worker dies with its template", process.signals
    ),
    Repair("atexit", "handlers registered before the fork belong to the template", process.exit_handlers),
    Repair("multiprocessing", "the template's children and queues are not the worker's", process.multiprocessing),
    Repair("environ", "PYTEST_XDIST_WORKER names the template", process.environ),
    Repair("workerinput", "config.workerinput names the template", core.workerinput),
    Repair("stdio", "descriptors 0 and 1 may be a terminal or a pipe of the template", core.stdio),
    Repair("capture", "all forks share the capture's files and their offsets", core.capture),
    Repair("tmp_path", "all forks would use one base folder, or number their own", core.tmp_path),
    Repair("asyncio", "before Python 3.12 a fork shares the epoll descriptor of the current loop", process.asyncio),
    Repair("random", "Python reseeds `random` at a fork, also where the suite has seeded it", process.random),
    Repair("numpy", "numpy's global generator gives each fork the same numbers", process.numpy),
    Repair("unraisable", "each fork would report the same queued exceptions", core.unraisable),
    Repair("pastebin", "each fork would upload a paste", core.pastebin),
    Repair("pytest_cov", "pytest-cov <= 6 takes a new pid for an unmeasured subprocess", plugins.pytest_cov),
    Repair("benchmark", "pytest-benchmark says once, on gw0, that it is switched off", plugins.benchmark),
    Repair("allure", "all forks carry the template's thread label", plugins.allure),
    Repair("rerunfailures", "all forks speak on one connection", plugins.rerunfailures),
    Repair("pytest_retry", "all forks speak on one connection", plugins.pytest_retry),
    Repair("filelock", "a lock made before the fork refuses to be taken after it", plugins.filelock),
    Repair("testmon", "an sqlite connection must not cross a fork", plugins.testmon),
)


def repair(config: pytest.Config, identity: Identity, template: Template, *, skip: frozenset[str] = NOTHING) -> None:
    """Make this freshly forked process the worker ``identity``. ``skip`` is for the tests of the repairs."""
    for each in REPAIRS:
        if each.name in skip:
            continue
        try:
            each.apply(config, identity, template)
        except Exception as error:
            raise RuntimeError(f"after-fork repair {each.name!r} failed") from error


def finish(config: pytest.Config, template: Template, *, skip: frozenset[str] = NOTHING) -> None:
    """End a worker as an interpreter ends, short of tearing modules down. The caller then calls ``os._exit``."""
    if "join_threads" not in skip:
        process.join_threads()
    if "run_exit_handlers" not in skip:
        process.run_exit_handlers()
    if "save_coverage" not in skip:
        plugins.save_coverage()
    if "flush" not in skip:
        writers.flush_all(template.writers)
