"""A template in small, run as a script: a pytest session in worker role that collects, forks, and waits.

It is what the engine's template is to the repairs, with nothing else: each fork runs every N-th item and writes what it
reported to ``<out>/<worker>.jsonl``. The only argument is a JSON object, see :class:`Order`.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import traceback
import warnings
from dataclasses import dataclass
from typing import Any

import pytest
from outpace.worker import detect, seeding
from outpace.worker.repair import Identity, Template, finish, repair


@dataclass
class Order:
    """``workerinput`` is given to all workers; ``mode`` is "fork" or "detect" (only say why not to fork)."""

    arguments: list[str]
    out: str
    workers: int
    skip: list[str]
    basetemp: str | None
    workerinput: dict[str, Any]
    per_worker_keys: list[str]
    mode: str


class Forker:
    def __init__(self, order: Order, start: object, watch: tuple[Any, ...]) -> None:
        self.order = order
        self.start = start
        self.watch = watch
        self.name = "template"
        self.template: Template | None = None
        self.written: list[dict[str, Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        baseline, environ, workerinput = self.watch
        found = detect.findings(baseline, environ, workerinput, session.config)
        environ.uninstall()
        workerinput.stop()
        self.write({"findings": [[each.code, each.message] for each in found]})
        if self.order.mode == "detect":
            os._exit(0)
        previous = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.template = Template.prepare(session.config, signals={signal.SIGUSR1: previous}, random_start=self.start)
        template_pid, children, pipes = os.getpid(), [], []
        for number in range(self.order.workers):
            pipes.append(os.pipe())
            self.template.before_fork()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                siblings = tuple(fd for pipe in pipes[:-1] for fd in pipe)
                self.become(session, number, template_pid, siblings)
                self.run(session, number)
                return True
            children.append(pid)
        for pid in children:
            _, status = os.waitpid(pid, 0)
            self.write({"exited": [self.order.workers, status]})
        atexit._run_exitfuncs()
        os._exit(0)

    def become(self, session: pytest.Session, number: int, template_pid: int, siblings: tuple[int, ...]) -> None:
        self.name = f"gw{number}"
        self.write({"pid": os.getpid()})
        base = self.order.basetemp
        identity = Identity(
            self.name,
            {**self.order.workerinput, "workerid": self.name, "workercount": self.order.workers},
            base and f"{base}/popen-{self.name}",
            siblings,
            template_pid,
        )
        assert self.template is not None
        try:
            repair(session.config, identity, self.template, skip=frozenset(self.order.skip))
        except Exception as error:
            self.write({"error": f"{error!r} from {error.__cause__!r}", "trace": traceback.format_exc()})
            os._exit(70)

    def run(self, session: pytest.Session, number: int) -> None:
        items = session.items[number :: self.order.workers]
        for item, nextitem in zip(items, [*items[1:], None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.write(
            {
                "test": report.nodeid.rpartition("::")[2],
                "when": report.when,
                "outcome": report.outcome,
                "longrepr": report.longreprtext,
                "sections": dict(report.sections),
                "properties": dict(report.user_properties),
            }
        )

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, when: str, nodeid: str) -> None:
        self.write({"warning": str(warning_message.message), "when": when})

    def write(self, line: dict[str, Any]) -> None:
        fd = os.open(f"{self.order.out}/{self.name}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(fd, json.dumps(line).encode() + b"\n")
        os.close(fd)


def main() -> None:
    from _pytest.config import _prepareconfig

    order = Order(**json.loads(sys.argv[1]))
    sys.argv[:] = ["-c"]
    baseline, environ, start = detect.snapshot(), detect.TracedEnviron(), seeding.watch()
    os.environ["PYTEST_XDIST_WORKER"] = "gw0"
    environ.install()
    config: Any = _prepareconfig(order.arguments, None)
    config.workerinput = detect.RecordingInput({**order.workerinput, "workerid": "gw0"}, order.per_worker_keys)
    config.workeroutput = {}
    if order.basetemp is not None:
        config.option.basetemp = f"{order.basetemp}/popen-gw0"
    forker = Forker(order, start, (baseline, environ, config.workerinput))
    config.pluginmanager.register(forker, "forker")
    config.hook.pytest_cmdline_main(config=config)
    if forker.template is None:
        os._exit(71)
    finish(config, forker.template, skip=frozenset(order.skip))
    forker.write({"workeroutput": {key: repr(value) for key, value in config.workeroutput.items()}})
    os._exit(0)


if __name__ == "__main__":
    main()
