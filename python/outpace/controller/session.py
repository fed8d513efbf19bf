"""The session that takes the place of xdist's ``DSession``.

It inherits what users and plugins know of ``DSession`` (attributes, terminal lines, restart policy) and replaces what
drives it: messages come from the coordinator, and tests are scheduled there unless a project brings a scheduler of
its own.
"""

from __future__ import annotations

import contextlib
import json
import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from xdist.dsession import DSession, WorkerStatus
from xdist.workermanage import unserialize_warning_message

from outpace import __version__, collection, plain, pytest_private
from outpace.marks import settings_of
from outpace.wire import Closed, Kind, WireError

from . import elastic, heap, shown, timeline, workers
from .crashes import Crashes
from .ending import Ending
from .hangs import Hangs
from .history import History
from .interrupts import Interrupts
from .isolated import Isolated
from .marked import Marked
from .memory import Memory
from .nodes import Node, Nodes
from .replay import Replay
from .retries import Retries
from .retries import times as retry_times
from .scheduling import Coordinated, coordinated

if TYPE_CHECKING:
    from collections.abc import Callable

    from xdist.remote import Producer

    from outpace.databases.controller import Databases
    from outpace.launch import Coordinator
    from outpace.timeouts import Timeouts

    from .lending import Lending

_RESULT = struct.Struct("<IIId")


class OutpaceSession(DSession):  # type: ignore[misc]
    def __init__(self, config: pytest.Config, coordinator: Coordinator, start_method: str, times: Timeouts) -> None:
        super().__init__(config)
        self.coordinator = coordinator
        self.start_method = start_method
        self.most_workers = elastic.most_workers(config)
        self.timeouts = times
        self.finished = False
        self.shouldstop: bool | str = False
        self.shuttingdown: bool = False
        self._session: pytest.Session | None = None
        self.hangs = Hangs(self)
        self.ending = Ending(self)
        self.interrupts = Interrupts()
        self.marked = Marked(config)
        self.history = History(config)
        self.databases = _databases(config)
        self.isolated = Isolated(self)
        self.retries = Retries(self, 0 if config.option.dist == "each" else retry_times(config))
        self.crashes = Crashes(self)
        self.memory = Memory(self)
        self._ids: list[str] = []
        self._ids_of: dict[int, list[str]] = {}
        self._config_warnings: set[tuple[Any, ...]] = set()
        self.pool: dict[str, Any] | None = None
        self.live = shown.live(self)
        self._handlers: dict[int, Callable[[Any], None]] = {
            Kind.COLLECTED: self._on_collected,
            Kind.READY: self._on_ready,
            Kind.RESULT: self._on_result,
            Kind.EVENT: self._on_event,
            Kind.BYE: self._on_bye,
            Kind.DOWN: self._on_down,
            Kind.STARTED: self._on_started,
            Kind.UNSCHEDULED: self._on_unscheduled,
            Kind.LOOKED: self.hangs.looked,
            Kind.DIFFERENT: self._on_different,
            Kind.GROW: self._on_grow,
            Kind.POOL: self._on_pool,
            Kind.RECYCLED: self.memory.recycled,
            Kind.MEMORY_USED: self.memory.used,
            Kind.LEND: self._on_lend,
            Kind.RETURNED: lambda payload: None,  # it has been taken back
            Kind.NOTICE: self._on_notice,
            Kind.FINISHED: self._on_finished,
            Kind.FATAL: self._on_fatal,
        }
        self.timeline = timeline.recorder(self)
        if self.timeline is not None:
            self.timeline.listen(self._handlers)

    # -- pytest's hooks

    def pytest_report_header(self) -> str:
        count = len(self.config.option.tx)
        grows = f"up to {self.most_workers} while tests wait" if self.most_workers else ""
        why = ", ".join(filter(None, (workers.reason, grows)))
        why = f" ({why})" if why else ""
        method = "auto (fork where it is safe)" if self.start_method == "auto" else f"{self.start_method} (asked for)"
        isolated = self.isolated.header()
        return f"outpace {__version__}: {count} worker{'s' if count != 1 else ''}{why}, start method {method}{isolated}"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        nodes = Nodes(self.config, self.coordinator, self.most_workers, measures=self.history.is_kept)
        self.nodemanager: Nodes = nodes
        nodes.live = self.live
        pytest_private.append_to_log_file(self.config)
        nodes.isolate, nodes.always_spawned = self.isolated.given, self.start_method == "spawn"
        uid = nodes.testrunuid
        self.replay = Replay(self, uid) if self.timeline is None else self.timeline.replay(uid)
        nodes.databases = self.databases
        self._active_nodes.update(nodes.setup_nodes(self.queue.put))
        self._session = session
        if self.databases is not None:
            self.databases.begin()  # while workers start; no test runs before the plan is sent

    @pytest.hookimpl(trylast=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> Any:
        return coordinated(config.getvalue("dist"), config, log, self)

    @pytest.hookimpl
    def pytest_runtestloop(self) -> bool:
        self.sched = self.config.hook.pytest_xdist_make_scheduler(config=self.config, log=self.log)
        assert self.sched is not None
        self.shouldstop = False
        option = self.config.option
        if self.most_workers and self.is_coordinated:
            self.coordinator.send(Kind.ELASTIC, most=self.most_workers)
        if not self.is_coordinated:
            self.retries.most = 0
        elif self.retries.most:
            self.coordinator.send(Kind.RETRY, times=self.retries.most)
        self.memory.ask()
        history = self.history.path()
        if history is not None:
            self.coordinator.send(Kind.HISTORY, path=history, root=str(self.config.rootpath))
        self.coordinator.send(
            Kind.PLAN,
            mode=option.dist if self.is_coordinated else "external",
            reorder=bool(getattr(option, "loadscopereorder", True)),
            maxfail=self.maxfail or 0,
            start_method=self.start_method,
            workers=sorted(self.nodemanager.by_number),
            timeouts=self.timeouts.in_milliseconds(),
        )
        self.config.add_cleanup(heap.set_aside)
        with self.interrupts.caught():
            try:
                self._loop()
            except KeyboardInterrupt:
                self.ending.interrupted()
                raise
        self.ending.settle()
        return True

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.ending.close()
        if self.live is not None:
            self.live.close()
        self.ending.apply_exitstatus(session)
        self._session = None

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        super().pytest_terminal_summary(terminalreporter)
        self.marked.summarise(terminalreporter, self._ids, is_coordinated=self.is_coordinated)
        self.history.summarise(terminalreporter)
        self.isolated.summarise(terminalreporter)
        self.ending.summarise(terminalreporter)
        if "lending" in vars(self):
            self.lending.summarise(terminalreporter)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Any:
        return self.retries.status(report)

    @pytest.hookimpl
    def pytest_warning_recorded(self, warning_message: Any, when: str) -> None:
        if when == "config":
            message = warning_message
            self._config_warnings.add(
                (message.category.__name__, str(message.message), message.filename, message.lineno)
            )

    # -- the loop

    @property
    def is_coordinated(self) -> bool:
        return isinstance(self.sched, Coordinated)

    def _loop(self) -> None:
        while not self.finished:
            self.loop_once()

    def loop_once(self) -> None:
        """Process one message of the coordinator."""
        self.interrupts.check()
        try:
            frame = self.coordinator.receive(self._wait)
        except (Closed, WireError) as error:
            self.ending.coordinator_died(error)
        if self.live is not None:
            self.live.pump()
        self._handlers[frame.kind](frame.payload)
        if self.shouldstop or (self.sched is not None and not self.is_coordinated and self.sched.tests_finished):
            self.triggershutdown()

    def _wait(self, fd: int) -> None:
        """Until the coordinator has said something; what comes live meanwhile is shown."""
        live = self.live
        if live is None:
            self.interrupts.wait([fd])
            return
        while True:
            ready = self.interrupts.wait([fd, *live.descriptors()], live.patience)
            if fd in ready:
                return
            live.pump(ready)

    def triggershutdown(self) -> None:
        if self.shuttingdown:
            return
        if self.shouldstop or self.is_coordinated:
            self.shuttingdown = True
            self.stop()
        else:
            super().triggershutdown()

    def stop(self, *, interrupt: bool = False, kill: bool = False) -> None:
        with contextlib.suppress(Closed):
            self.coordinator.send(Kind.STOP, interrupt=interrupt, kill=kill)

    def node(self, number: int) -> Node:
        return self.nodemanager.by_number[number]

    def node_and_blob(self, payload: bytes) -> tuple[Node, bytes]:
        return self.node(int.from_bytes(payload[:4], "little")), payload[4:]

    # -- messages

    def _on_collected(self, payload: bytes) -> None:
        node, blob = self.node_and_blob(payload)
        ids = collection.decode_ids(blob)
        self._ids_of[node.number] = ids
        if not self._ids:
            self._ids = ids
            self.nodemanager.collected = len(ids)
            self.marked.collected(blob)

    def _on_started(self, payload: bytes) -> None:
        started = json.loads(payload)
        if self.start_method == "auto" and started["reasons"]:
            for reason in started["reasons"][:3]:
                self.report_line(f"outpace: workers are spawned, not forked: {reason}")
        elif started["method"] == "fork" and started["reasons"]:
            for reason in started["reasons"][:3]:
                self.report_line(f"outpace: forked as asked, although {reason}")
        elif started["method"] == "fork" and self.terminal and self.config.option.verbose > 0:
            self.report_line("outpace: workers are forks of one collected process")
        if self.is_coordinated and started["method"] == "fork":
            self._show_collection([node.gateway.spec for node in self.nodemanager.by_number.values()], self._ids)

    def _show_collection(self, specs: list[Any], ids: list[str]) -> None:
        if not self.terminal:
            return
        for spec in specs:
            self.trdist.setstatus(spec, WorkerStatus.CollectionDone, tests_collected=len(ids), show=False)
        if specs:
            self.trdist.setstatus(specs[-1], WorkerStatus.CollectionDone, tests_collected=len(ids))
        self.trdist.ensure_show_status()
        self.terminal.write_line("")
        if self.config.option.verbose > 0:
            self.terminal.write_line(f"scheduling tests via {type(self.sched).__name__}")

    def _on_ready(self, payload: bytes) -> None:
        node, blob = self.node_and_blob(payload)
        info = plain.loads(blob)
        node.pid = info.pop("pid")
        if self.live is not None:
            self.live.ready(node)
        self.worker_workerready(node, info)
        ids = self._ids_of.get(node.number, self._ids)
        if self.is_coordinated:
            self._ready_coordinated(node, ids)
        else:
            self.worker_collectionfinish(node, self._ids)

    def _ready_coordinated(self, node: Node, ids: list[str]) -> None:
        if self.shuttingdown:
            return
        self.config.hook.pytest_xdist_node_collection_finished(node=node, ids=ids)
        assert self._session is not None and self.sched is not None
        self._session.testscollected = len(ids)
        first = not self.sched.collection_is_completed
        self.sched.add_node_collection(node, ids)
        if first and node.number in self._ids_of and len(self._ids_of) > 1:
            self._show_collection([node.gateway.spec for node in self.nodemanager.by_number.values()], ids)

    def _on_result(self, payload: bytes) -> None:
        worker, item, finished, duration = _RESULT.unpack_from(payload)
        node = self.node(worker)
        self.replay.result(node, item, bool(finished), payload[_RESULT.size :])
        if finished:
            self.ending.records += 1
            self.marked.finished(item)
            if not self.is_coordinated:
                self.worker_runtest_protocol_complete(node, item, duration)

    def _on_unscheduled(self, payload: bytes) -> None:
        message = json.loads(payload)
        self.worker_unscheduled(self.node(message["worker"]), message["items"])

    def _on_event(self, payload: bytes) -> None:
        node, blob = self.node_and_blob(payload)
        name, content = plain.loads(blob)
        if name == "warning":
            self._on_warning(node, **content)
        elif name == "collectreport":
            self.replay.collect_report(node, content["data"])
        elif name == "testreport":
            self.replay.loose_report(node, content["data"])
        elif name == "memory":
            self.memory.grown(**content)
        elif name == "debugger":
            self.lending.told(**content)
        elif name == "passed_over":
            self.lending.passed_over.setdefault(content["place"])
        elif name == "fork_output":
            node.fork_outputs.append(content["output"])
        elif name == "layer":
            self.report_line(f"outpace: collected anew: {content['why']}")
        elif name == "internal_error":
            self._on_internal_error(node, content["text"])
        elif name in self.isolated.events:
            self.isolated.events[name](node, **content)
        else:
            self.ending.event(node, name, content)

    def _on_warning(self, node: Node, data: dict[str, Any], **where: Any) -> None:
        """Each warning once: what every process meets on its way to the tests is told by one."""
        when = where["when"]
        key = (data["category_class_name"], data["message_str"], data.get("filename"), data.get("lineno"))
        if when == "config" and key in self._config_warnings:
            return
        if when in ("config", "collect") and node.number != min(self.nodemanager.by_number):
            return
        self.worker_warning_recorded(unserialize_warning_message(data), **where)

    def _on_internal_error(self, node: Node, text: str) -> None:
        self._active_nodes.add(node)
        self.worker_internal_error(node, text)
        self.ending.internal_error()

    def _on_bye(self, payload: bytes) -> None:
        node, blob = self.node_and_blob(payload)
        node._down = True
        node.workeroutput = plain.loads(blob)

    def _on_down(self, payload: bytes) -> None:
        down = json.loads(payload)
        node = self.node(down["worker"])
        nodeid = self._ids[down["item"]] if down["item"] is not None else None
        if self.live is not None:
            self.live.down(node)
        if node.fork_outputs:
            node.tell_forks()
        if down["crashed"]:
            self.crashes.down(node, nodeid, down)
        elif hasattr(node, "workeroutput"):
            if down["hung"]:
                self.ending.hung(node)
            self.ending.worker_finished(node, nodeid)
        else:
            self.config.hook.pytest_testnodedown(node=node, error="interrupted")
            self._active_nodes.discard(node)
            self.forget(node)

    def _on_different(self, payload: bytes) -> None:
        from xdist.report import report_collection_diff

        (number,) = json.loads(payload)["workers"]
        first = min(self._ids_of)
        text = report_collection_diff(self._ids_of[first], self._ids_of[number], f"gw{first}", f"gw{number}")
        report = pytest.CollectReport(f"gw{number}", "failed", longrepr=text, result=[])
        self.config.hook.pytest_collectreport(report=report)

    def _on_grow(self, payload: bytes) -> None:
        message = json.loads(payload)
        if message.get("why"):
            self.report_line(f"outpace: {message['why']}")
        elastic.grow(self, message["count"])

    def _on_pool(self, payload: bytes) -> None:
        self.pool = json.loads(payload)

    @cached_property
    def lending(self) -> Lending:
        from .lending import Lending

        return Lending(self)

    def _on_lend(self, payload: bytes) -> None:
        self.lending.lend(json.loads(payload))

    def _on_notice(self, payload: bytes) -> None:
        self.history.notices.append(json.loads(payload)["message"])

    def _on_finished(self, payload: bytes) -> None:
        self.finished = True
        self.retries.give_up()
        self.ending.finished(json.loads(payload))

    def _on_fatal(self, payload: bytes) -> None:
        self.ending.fatal(json.loads(payload)["message"])

    # -- what plugins ask for, and xdist's policies

    def run_again(self, nodeid: str) -> None:
        """``sched.mark_test_pending``: within ``pytest_handlecrashitem`` it is the verdict on the crash."""
        if not self.crashes.judge(nodeid) and nodeid in self._ids:
            self.coordinator.send(Kind.REQUEUE, item=self._ids.index(nodeid))

    def handle_crashitem(self, nodeid: str, worker: Any) -> None:
        self.crashes.report(nodeid, worker)

    def replace(self, node: Any) -> Any:
        """Announce another worker like this one."""
        return self._clone_node(node)

    def _clone_node(self, node: Any) -> Any:
        import execnet

        spec = execnet.XSpec(str(node.gateway.spec))
        spec.id = None
        self.nodemanager.group.allocate_id(spec)
        clone = self.nodemanager.setup_node(spec, self.queue.put)
        self._active_nodes.add(clone)
        return clone

    def forget(self, node: Node) -> None:
        if self.sched is not None and node in self.sched.nodes:
            self.sched.remove_node(node)


def _databases(config: pytest.Config) -> Databases | None:
    if not any(each.strategy == "clone" for each in settings_of(config).databases.values()):
        return None
    from outpace.databases.controller import Databases

    databases = Databases(config)
    config.pluginmanager.register(databases, "outpace-databases")
    return databases
