"""Plugin of the probe project (``-p probe_plugin``): writes what each pytest process saw into ``$PROBE_FOLDER``.

It must not read a worker's id before the first test: that alone would change how the workers are started.
One JSON file per process that ends its session, see ``probes.Process`` for the reader.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from _pytest import hookspec
from xdist import newhooks

# Called before this plugin can be, or deprecated.
_UNSEEN = {"pytest_addhooks", "pytest_addoption", "pytest_cmdline_parse", "pytest_load_initial_conftests"}
_UNSEEN |= {"pytest_plugin_registered", "pytest_xdist_rsyncstart", "pytest_xdist_rsyncfinish"}
OPTIONS = ("dist", "distload", "numprocesses", "maxprocesses", "usepdb", "looponfail", "tx", "basetemp", "verbose")
WIRED: dict[str, Any] = {
    "tuple": (1, (2, 3)),
    "list": [1, [2]],
    "set": {4},
    "frozenset": frozenset({5}),
    "bytes": b"\x00\xff",
    "complex": 1 + 2j,
    "int keys": {1: "one", 2: {3: (4,)}},
    "float": 0.1,
    "big": 2**70,
    "negative": -(2**31),
    "text": 'snow ☃ "\n',
    "none": None,
    "bool": (True, False),
}


class Calls:
    """Implements every hook and notes that it was called."""

    def __init__(self) -> None:
        self.names: list[str] = []
        for module in (hookspec, newhooks):
            for name in dir(module):
                if name.startswith("pytest_") and name not in _UNSEEN and not hasattr(self, name):
                    setattr(self, name, self._noting(name))

    def _noting(self, name: str) -> Any:
        def implementation() -> None:
            self.names.append(name)

        return implementation


class Facts:
    """Notes what the arguments of the interesting hooks look like."""

    def __init__(self, config: pytest.Config) -> None:
        self.worker = hasattr(config, "workerinput")
        self.seen: dict[str, Any] = {
            "options at configure": _options(config),
            "workerinput at configure": sorted(getattr(config, "workerinput", ())),
            "workeroutput at configure": repr(getattr(config, "workeroutput", None)),
            "nodes": {},
            "order": [],
            "reports": [],
            "tests": [],
        }
        if self.worker:
            config.workeroutput["probe at configure"] = ("kept", {1})  # type: ignore[attr-defined]

    def node(self, node: Any, hook: str, **more: Any) -> None:
        self.seen["order"].append([hook, node.gateway.id])
        self.seen["nodes"].setdefault(node.gateway.id, {}).update(more)

    def pytest_xdist_setupnodes(self, config: pytest.Config, specs: list[Any]) -> None:
        self.seen["order"].append(["pytest_xdist_setupnodes", None])
        self.seen["specs"] = [[spec.id, bool(spec.popen), spec.chdir, spec.python, str(spec)] for spec in specs]

    def pytest_xdist_newgateway(self, gateway: Any) -> None:
        self.seen["order"].append(["pytest_xdist_newgateway", gateway.id])

    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["probe extra"] = {"for": node.gateway.id, "typed": (1, {2}, frozenset({3}))}
        node.probe_attribute = "kept"
        self.node(
            node,
            "pytest_configure_node",
            workerinput=sorted(node.workerinput),
            repr=repr(node),
            hashable=hash(node) == hash(node),
            config_is_ours=node.config.pluginmanager is not None and not hasattr(node.config, "workerinput"),
            roots=repr(node.nodemanager.roots),
            testrunuid=node.nodemanager.testrunuid,
            specs=len(node.nodemanager.specs),
            spec=[node.gateway.spec.id, bool(node.gateway.spec.popen), node.gateway.spec.chdir],
            methods=[
                callable(getattr(node, name, None)) for name in ("send_runtest_some", "send_runtest_all", "shutdown")
            ],
            shutting_down=node.shutting_down,
        )

    def pytest_testnodeready(self, node: Any) -> None:
        info = node.gateway._rinfo()
        rinfo = {name: repr(getattr(info, name)) for name in ("executable", "version_info", "platform", "cwd")}
        self.node(node, "pytest_testnodeready", workerinfo=dict(node.workerinfo), rinfo=rinfo, pid=info.pid)

    def pytest_xdist_node_collection_finished(self, node: Any, ids: Any) -> None:
        self.node(node, "pytest_xdist_node_collection_finished", ids=list(ids))

    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        output = {str(key): repr(value) for key, value in getattr(node, "workeroutput", {}).items()}
        self.node(node, "pytest_testnodedown", error=error, workeroutput=output, attribute=node.probe_attribute)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        report = yield
        report.probe_wired = WIRED
        item.user_properties.append((f"at {report.when}", (1, {"a": {2}})))
        return report

    def pytest_runtest_logreport(self, report: Any) -> None:
        node = getattr(report, "node", None)
        self.seen["reports"].append(
            {
                "nodeid": report.nodeid,
                "when": report.when,
                "class": f"{type(report).__module__}.{type(report).__qualname__}",
                "node": None if node is None else [node.gateway.id, getattr(node, "probe_attribute", None)],
                "worker_id": getattr(report, "worker_id", None),
                "testrun_uid": getattr(report, "testrun_uid", None),
                "item_index": getattr(report, "item_index", None),
                "wired": repr(report.probe_wired),
                "user_properties": repr(report.user_properties),
                "longrepr": type(report.longrepr).__name__,
                "location": repr(report.location),
                "keywords": [type(report.keywords).__name__, sorted(map(str, report.keywords))],
                "sections": repr(report.sections),
                "main thread": threading.current_thread() is threading.main_thread(),
            }
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: Any) -> None:
        config = session.config
        manager = config.pluginmanager
        self.seen["session"] = {
            "exitstatus": int(exitstatus),
            "testscollected": session.testscollected,
            "items": len(getattr(session, "items", ())),
            "testsfailed": session.testsfailed,
            "plugins": [
                name
                for name in ("xdist", "xdist.looponfail", "dsession", "terminaldistreporter", "terminalreporter")
                if manager.hasplugin(name)
            ],
            "options": _options(config),
            "environ": {key: value for key, value in os.environ.items() if key.startswith("PYTEST_XDIST_")},
            "argv": sys.argv,
            "prog": config._parser.prog,
            "workerinput": {key: repr(value) for key, value in getattr(config, "workerinput", {}).items()},
        }
        dsession = manager.getplugin("dsession")
        if dsession is not None:
            self.seen["dsession"] = [name for name in ("sched", "nodemanager", "shouldstop", "shuttingdown", "queue")
                                     if hasattr(dsession, name)]  # fmt: skip
        if self.worker:
            config.workeroutput["probe at finish"] = {1: (2, b"3")}  # type: ignore[attr-defined]


def _options(config: pytest.Config) -> dict[str, str]:
    return {name: repr(getattr(config.option, name, "absent")) for name in OPTIONS}


class _Writer:
    def __init__(self, calls: Calls, facts: Facts) -> None:
        self.calls, self.facts = calls, facts

    def pytest_unconfigure(self) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER") if self.facts.worker else None
        data = {"worker": worker, "pid": os.getpid(), "calls": self.calls.names, **self.facts.seen}
        target = Path(os.environ["PROBE_FOLDER"], f"{worker or 'controller'}-{os.getpid()}.json")
        target.write_text(json.dumps(data, default=repr))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    calls, facts = Calls(), Facts(config)
    config.stash[_FACTS] = facts
    for plugin in (calls, facts, _Writer(calls, facts)):
        config.pluginmanager.register(plugin, f"probe-{type(plugin).__name__}")


_FACTS = pytest.StashKey[Facts]()


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Any:
    """``note(name=value)`` keeps what a test sees."""
    return lambda **values: request.config.stash[_FACTS].seen["tests"].append(values)
