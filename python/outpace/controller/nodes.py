"""xdist's node objects for workers that no execnet gateway leads to.

Plugins and conftests read and write these (``node.workerinput``, ``node.gateway.id``, ``node.workeroutput``), so they
are xdist's own classes with the transport replaced.
"""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import execnet
from xdist.plugin import _sys_path
from xdist.workermanage import NodeManager, WorkerController

from outpace import plain, pytest_private
from outpace.marks import settings_of
from outpace.wire import Kind

if TYPE_CHECKING:
    import pytest

    from outpace.databases.controller import Databases
    from outpace.launch import Coordinator


_OF_THE_SESSION = ("exitstatus", "shouldfail", "shouldstop")


class Gateway:
    """What plugins read of an execnet gateway; it leads nowhere."""

    def __init__(self, spec: execnet.XSpec) -> None:
        self.spec = spec
        self.id: str = str(spec.id)
        self.node: Any = None

    def __repr__(self) -> str:
        return f"<Gateway id={self.id!r}>"

    def _rinfo(self, update: bool = False) -> SimpleNamespace:
        return SimpleNamespace(
            executable=sys.executable,
            version_info=tuple(sys.version_info),
            platform=sys.platform,
            cwd=os.getcwd(),
            pid=os.getpid(),
        )

    def exit(self) -> None:
        """There is nothing to close: the coordinator ends workers."""


class Node(WorkerController):  # type: ignore[misc]
    """One worker, as the controller's plugins see it. Its number is the one in its id."""

    def __init__(self, manager: Nodes, gateway: Gateway, config: pytest.Config, putevent: Any) -> None:
        super().__init__(manager, gateway, config, putevent)
        self.number = int(gateway.id[2:])
        self.pid: int | None = None
        # What plugins said at the ends of sessions of its forks.
        self.fork_outputs: list[dict[str, Any]] = []

    __hash__ = object.__hash__

    def setup(self) -> None:
        self.basetemp = pytest_private.worker_basetemp(self.config, self.gateway.id)
        self.config.hook.pytest_configure_node(node=self)

    def sendcommand(self, name: str, **kwargs: Any) -> None:
        coordinator = self.nodemanager.coordinator
        if name == "runtests":
            coordinator.send(Kind.ASSIGN, worker=self.number, items=list(kwargs["indices"]))
        elif name == "runtests_all":
            coordinator.send(Kind.ASSIGN, worker=self.number, items=list(range(self.nodemanager.collected)))
        elif name == "steal":
            coordinator.send(Kind.UNASSIGN, worker=self.number, items=list(kwargs["indices"]))
        elif name == "shutdown":
            coordinator.send(Kind.RETIRE, worker=self.number)

    def ensure_teardown(self) -> None:
        """There is nothing to close: the coordinator ends workers."""

    def tell_forks(self) -> None:
        """Before it is told that it is down itself: for each of its forks that has something else for plugins."""
        outputs, self.fork_outputs = self.fork_outputs, []
        own = getattr(self, "workeroutput", None)
        for output in outputs:
            if own is None or any(output[name] != own.get(name) for name in output if name not in _OF_THE_SESSION):
                self.workeroutput = output
                self.config.hook.pytest_testnodedown(node=self, error=None)
        if own is not None:
            self.workeroutput = own
        elif outputs:
            del self.workeroutput


Node.__name__ = Node.__qualname__ = "WorkerController"  # repr(node) is what users see


class Nodes(NodeManager):  # type: ignore[misc]
    """Makes nodes and announces them to the coordinator."""

    def __init__(self, config: pytest.Config, coordinator: Coordinator, most: int, *, measures: bool) -> None:
        super().__init__(config)
        self.coordinator = coordinator
        self.by_number: dict[int, Node] = {}
        # The most workers of an elastic run; 0 for those it begins with.
        self.most = most
        self.begins_with = 0
        # Workers are to tell what each test cost.
        self.measures = measures
        self.collected = 0
        self.announced = False
        # Shows what workers write as it comes, where that is wanted.
        self.live: Any = None
        # What workers have of their own, by the settings; and whether the first one is never a template.
        self.isolate: dict[str, Any] | None = None
        self.always_spawned = False
        self.databases: Databases | None = None

    def setup_nodes(self, putevent: Any) -> list[WorkerController]:
        self.begins_with = len(self.specs)
        nodes: list[WorkerController] = super().setup_nodes(putevent)
        differing = _differing_keys([node.workerinput for node in nodes])
        for node in nodes:
            self._announce(node, differing)
        self.announced = True
        return nodes

    def setup_node(self, spec: execnet.XSpec, putevent: Any) -> Node:
        gateway = Gateway(spec)
        self.config.hook.pytest_xdist_newgateway(gateway=gateway)
        node = Node(self, gateway, self.config, putevent)
        gateway.node = node
        self.by_number[node.number] = node
        if self.most:
            # Numbers of workers are below this.
            node.workerinput["workercount"] = self.most
        node.setup()
        if self.announced:
            self._announce(node, [])
        return node

    def _announce(self, node: Any, per_worker_keys: list[str]) -> None:
        config = self.config
        given = {
            "workerinput": node.workerinput,
            "per_worker_keys": per_worker_keys,
            "args": [str(arg) for arg in config.invocation_params.args or ()],
            "basetemp": node.basetemp,
            "may_be_held": bool(self.most),
            "measures": self.measures,
            "dist": config.option.dist,
            "sys_path": _sys_path,
            "environ": dict(os.environ),
            "cwd": os.getcwd(),
            "env": settings_of(config).env,
            "isolate": self.isolate,
            "databases": self.databases.of(node.gateway.id) if self.databases is not None else None,
            # The first may yet become the template.
            "isolate_early": self.always_spawned or node.number != min(self.by_number),
        }
        if self.live is not None:
            given["live"] = self.live.describe(node, is_first=node.number == min(self.by_number))
        self.coordinator.send_worker(node.number, plain.dumps(given))

    def teardown_nodes(self) -> None:
        """The session ends workers, through the coordinator."""

    def _getrsyncdirs(self) -> list[Any]:
        return []


_COMMON_KEYS = {"workercount", "testrunuid", "mainargv"}


def _differing_keys(inputs: list[dict[str, Any]]) -> list[str]:
    """Keys whose value depends on the worker: reading one before the fork would give all workers one answer."""
    keys = {key for each in inputs for key in each}
    if len(inputs) == 1:
        return sorted(keys - _COMMON_KEYS)
    missing = object()
    return sorted(key for key in keys if any(each.get(key, missing) != inputs[0].get(key, missing) for each in inputs))
