"""One test after the other: what it touches, what it leaves, and the circumstances the plan asks for."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from . import circumstances, marks, places, state, surroundings, touches, watch
from .plan import Journal, Plan

if TYPE_CHECKING:
    import pytest

    from .costs import Costs


class Recorder:
    """Lives in each process that runs tests."""

    def __init__(self, config: pytest.Config, plan: Plan, lengths: list[int], costs: Costs | None) -> None:
        self.plan = plan
        self.costs = costs
        self.lengths = lengths
        self.project = places.Project([str(config.rootpath), str(config.invocation_params.dir)])
        self.journal = Journal(plan.folder, "touches")
        self.worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        self.order = 0
        self.lane = -1
        self.state: state.State | None = None
        self.surroundings: surroundings.Surroundings | None = None
        self.meeting = circumstances.Meeting(plan.folder, len(lengths)) if plan.together else None
        # A worker is watched from outside; a serial run has to watch itself.
        self.watch = watch.Watch(plan.folder, plan.timeout) if plan.timeout and not self.worker else None
        self.marks = marks.Marks(plan.folder) if plan.witness else None
        self._stack = ExitStack()
        self._start = self._cpu = 0.0
        self._basetemp = ""
        self._config = config
        if plan.record:
            touches.install()
            self.state = state.State(self.project)
            self.surroundings = surroundings.Surroundings()
        elif plan.undo:
            self.state = state.State(self.project)
            self.surroundings = surroundings.Surroundings()

    def begin(self, item: pytest.Item) -> None:
        plan = self.plan
        if self.lane < 0 and plan.lanes is not None:
            self.lane = next((number for number, lane in enumerate(plan.lanes) if item.nodeid in lane), 0)
        if plan.undo and plan.lanes is not None and self.order + 1 == self.lengths[self.lane]:
            self._undo()
        if self.meeting is not None:
            self.meeting.attend(self.lane, self.order)
        self._stack = ExitStack()
        if self.watch is not None:
            self.watch.begin(item.nodeid)
        if plan.slow_motion is not None:
            seed = plan.slow_motion * 1000 + self.order * 10 + self.lane
            self._stack.enter_context(circumstances.slow_motion(self.project, seed))
        if plan.slowed:
            self._stack.enter_context(circumstances.slowed())
        if self.state is not None:
            self.state.look()
        if self.marks is not None:
            self.marks.begin(self.order)
        if plan.record:
            touches.start(self.project)
        self._start = time.monotonic()
        self._cpu = time.process_time()

    def end(self, item: pytest.Item) -> None:
        stop, cpu = time.monotonic(), time.process_time() - self._cpu
        touched = touches.stop() if self.plan.record else []
        commands = touches.commands() if self.marks is not None else []
        self._stack.close()
        left: list[dict[str, Any]] = []
        if self.state is not None and self.plan.record:
            changes = [*self.state.changes(), *(self.surroundings.changes() if self.surroundings else ())]
            left = [
                {"kind": kind, "name": name, "place": places.of_change(item, kind, name, self.project, touched)}
                for kind, name in changes
            ]
        self.journal.write(
            id=item.nodeid,
            worker=self.worker,
            lane=max(self.lane, 0),
            start=self._start,
            stop=stop,
            cpu=cpu,
            place=places.of_item(item),
            **(
                {"touches": [{**each, "private": self._is_private(each["name"])} for each in touched]}
                if touched
                else {}
            ),
            **({"left": left} if left else {}),
            **({"commands": commands} if commands else {}),
            **(self.costs.of_fixtures() if self.costs is not None else {}),
        )
        self.order += 1

    def close(self) -> None:
        """After the last fixture is torn down: what is left of the changes now is left for good."""
        if self.watch is not None:
            self.watch.close()
        if self.marks is not None:
            self.marks.close()
            self._is_private("")
            self.journal.write(id="", temporary=self._basetemp)
        if self.state is not None and self.surroundings is not None and self.plan.record:
            left = [*self.state.since_start(), *self.surroundings.since_start()]
            self.journal.write(id="", left=[{"kind": kind, "name": name} for kind, name in left])
        if self.costs is not None:
            self.journal.write(id="", worker=self.worker, fixtures=self.costs.fixtures())

    def _undo(self) -> None:
        for kind, name in self.plan.undo:
            if self.state is not None and not self.state.undo(kind, name) and self.surroundings is not None:
                self.surroundings.undo(kind, name)

    def _is_private(self, name: str) -> bool:
        """Whether it lies in the folder of temporary folders, of which each worker and each run has its own."""
        if not self._basetemp:
            factory = getattr(self._config, "_tmp_path_factory", None)
            base = getattr(factory, "_basetemp", None)
            if base is None:
                return False
            self._basetemp = str(base) + os.sep
        return name.startswith(self._basetemp)
