"""A scheduler for the controller: every worker has its lane, a list of tests written down beforehand.

A worker that takes the place of one that died goes on with what was left of its lane.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any


class Lanes:
    """xdist's ``Scheduling`` interface. Where tests are collected there is of each lane what there is, one lane after
    the other."""

    def __init__(self, lanes: Sequence[Sequence[str]]) -> None:
        self._lanes = lanes
        self._open: deque[list[int]] = deque()
        self._count = len(lanes)
        self._pending: dict[Any, list[int]] = {}
        self._collected: dict[Any, list[str]] = {}
        self.collection: list[str] | None = None

    @property
    def nodes(self) -> list[Any]:
        return list(self._pending)

    @property
    def collection_is_completed(self) -> bool:
        return self.collection is not None or len(self._collected) >= self._count

    @property
    def tests_finished(self) -> bool:
        return self.collection is not None and not self._open and not any(self._pending.values())

    @property
    def has_pending(self) -> bool:
        return self.collection is None or bool(self._open) or any(self._pending.values())

    def add_node(self, node: Any) -> None:
        self._pending[node] = []

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        self._collected[node] = list(collection)

    def schedule(self) -> None:
        if self.collection is None:
            self.collection = next(iter(self._collected.values()))
            known, start = set(self.collection), 0
            for wanted in self._lanes:
                end = start + sum(nodeid in known for nodeid in wanted)
                self._open.append(list(range(start, end)))
                start = end
        for node, pending in self._pending.items():
            if pending or node not in self._collected or node.shutting_down:
                continue
            if self._open:
                lane = self._open.popleft()
                pending.extend(lane)
                node.send_runtest_some(lane)
            node.shutdown()

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        self._pending[node].remove(item_index)

    def mark_test_pending(self, item: str) -> None:
        raise NotImplementedError

    def remove_pending_tests_from_node(self, node: Any, indices: Sequence[int]) -> None:
        raise NotImplementedError

    def remove_node(self, node: Any) -> str | None:
        self._collected.pop(node, None)
        pending = self._pending.pop(node)
        if not pending or self.collection is None:
            return None
        if pending[1:]:
            self._open.append(pending[1:])
        return self.collection[pending[0]]
