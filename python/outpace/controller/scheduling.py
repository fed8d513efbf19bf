"""The scheduler object that plugins find in the controller when the coordinator schedules.

It answers xdist's ``Scheduling`` interface from what the coordinator reports, and decides nothing. Its class carries
the name xdist's scheduler for the mode has, since that name is printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

    from .session import OutpaceSession

_NAMES = {
    "load": "LoadScheduling",
    "worksteal": "WorkStealingScheduling",
    "loadscope": "LoadScopeScheduling",
    "loadfile": "LoadFileScheduling",
    "loadgroup": "LoadGroupScheduling",
    "each": "EachScheduling",
}


class Coordinated:
    """Base of the scheduler classes below; a scheduler of any other class is a project's own."""

    def __init__(self, config: pytest.Config, log: Producer, session: OutpaceSession) -> None:
        self.config = config
        self.log = log
        self._session = session
        self._nodes: list[WorkerController] = []
        self._crashed: dict[WorkerController, str | None] = {}
        self.collection: list[str] | None = None

    @property
    def nodes(self) -> list[WorkerController]:
        return self._nodes

    @property
    def collection_is_completed(self) -> bool:
        return self.collection is not None

    @property
    def tests_finished(self) -> bool:
        return False

    @property
    def has_pending(self) -> bool:
        return not self._session.finished

    def add_node(self, node: WorkerController) -> None:
        self._nodes.append(node)

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        self.collection = list(collection)

    def schedule(self) -> None:
        """The coordinator does."""

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """The coordinator knows."""

    def mark_test_pending(self, item: str) -> None:
        """Have this test run again (``pytest_handlecrashitem``)."""
        if self.config.option.dist in ("load", "worksteal", "loadscope", "loadfile", "loadgroup"):
            self._session.run_again(item)
        else:
            raise NotImplementedError

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """The coordinator takes back what it gave."""

    def crashed_with(self, node: WorkerController, item: str | None) -> None:
        self._crashed[node] = item

    def remove_node(self, node: WorkerController) -> str | None:
        if node not in self._nodes:
            raise KeyError(node)
        self._nodes.remove(node)
        return self._crashed.pop(node, None)


def coordinated(mode: str, config: pytest.Config, log: Producer, session: OutpaceSession) -> Any:
    name = _NAMES.get(mode)
    return None if name is None else type(name, (Coordinated,), {})(config, log, session)
