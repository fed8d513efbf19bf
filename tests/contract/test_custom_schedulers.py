"""Schedulers from ``pytest_xdist_make_scheduler``, as projects write them (contract 1.7)."""

from __future__ import annotations

import re

import pytest
from project import Project
from test_schedulers import placed

BY_PREFIX = """
    from xdist.scheduler import LoadScopeScheduling

    class ByPrefix(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return nodeid.split("::")[-1].split("_")[1]

    def pytest_xdist_make_scheduler(config, log):
        return ByPrefix(config, log)
"""
REVERSED = """
    from xdist.dsession import LoadScheduling

    class Backwards(LoadScheduling):
        def schedule(self):
            first = self.collection is None
            super().schedule()
            if first:
                self.log("scheduled", len(self.collection))
                print("pending after the first step", len(self.pending), "of", len(self.collection))

    def pytest_xdist_make_scheduler(config, log):
        return Backwards(config, log.own)
"""
WHOLE_INTERFACE = '''
    """Gives all tests to the last node, one by one, in reverse; written from xdist's documentation of the interface."""
    try:
        from xdist.workermanage import parse_tx_spec_config
    except ImportError:  # xdist 3.6
        from xdist.workermanage import parse_spec_config as parse_tx_spec_config

    class OwnScheduling:
        def __init__(self, config, log):
            self.numnodes, self.log, self.config = len(parse_tx_spec_config(config)), log.own, config
            self.nodes_of, self.pending_of, self.todo, self.collection = {}, {}, None, None

        @property
        def nodes(self): return list(self.pending_of)
        @property
        def collection_is_completed(self): return self.collection is not None or len(self.nodes_of) >= self.numnodes
        @property
        def tests_finished(self):
            waiting = self.todo or any(len(pending) > 1 for pending in self.pending_of.values())
            return self.collection_is_completed and not waiting
        @property
        def has_pending(self): return bool(self.todo) or any(self.pending_of.values())

        def add_node(self, node): self.pending_of[node] = []
        def add_node_collection(self, node, collection):
            self.nodes_of[node] = list(collection)
        def mark_test_complete(self, node, item_index, duration=0):
            self.pending_of[node].remove(item_index)
            self.send()
        def mark_test_pending(self, item): raise NotImplementedError
        def remove_pending_tests_from_node(self, node, indices): raise NotImplementedError
        def remove_node(self, node):
            pending = self.pending_of.pop(node)
            self.nodes_of.pop(node, None)
            return self.collection[pending[0]] if pending else None
        def schedule(self):
            if self.collection is None:
                self.collection = next(iter(self.nodes_of.values()))
                self.todo = list(range(len(self.collection)))
                self.last = sorted(self.pending_of, key=lambda node: node.gateway.id)[-1]
                print("own scheduler with", self.numnodes, "nodes,", len(self.todo), "tests")
                for node in self.pending_of:
                    if node is not self.last: node.shutdown()
            self.send()
        def send(self):
            pending = self.pending_of[self.last]
            while self.todo and len(pending) < 2:
                pending.append(self.todo.pop())
                self.last.send_runtest_some([pending[-1]])
            if not self.todo and not self.last.shutting_down: self.last.shutdown()

    def pytest_xdist_make_scheduler(config, log):
        return OwnScheduling(config, log)
'''
TESTS = """
    import pytest, time
    @pytest.mark.parametrize("i", range(5))
    def test_red_one(i): time.sleep(0.01)
    @pytest.mark.parametrize("i", range(5))
    def test_blue_one(i): time.sleep(0.01)
    @pytest.mark.parametrize("i", range(5))
    def test_red_two(i): time.sleep(0.01)
    @pytest.mark.parametrize("i", range(5))
    def test_green_one(i): time.sleep(0.01)
"""


def test_subclass_with_its_own_scopes(project: Project) -> None:
    run = project.files(conftest=BY_PREFIX, test_a=TESTS, test_b=TESTS).run("-n3", "-v")
    assert run.counts == {"passed": 40}
    run.match("scheduling tests via ByPrefix")
    colours: dict[str, set[str]] = {}
    for worker, nodeid in placed(run):
        match = re.search("red|blue|green", nodeid)
        assert match
        colours.setdefault(match[0], set()).add(worker)
    assert {colour: len(workers) for colour, workers in colours.items()} == {"red": 1, "blue": 1, "green": 1}


@pytest.mark.parametrize("dist", ["load", "loadscope", "worksteal"])
def test_the_hook_beats_dist(project: Project, dist: str) -> None:
    run = project.files(conftest=BY_PREFIX, test_a=TESTS).run("-n2", f"--dist={dist}", "-v")
    run.match("scheduling tests via ByPrefix")
    assert run.counts == {"passed": 20}


def test_subclass_of_load_scheduling(project: Project) -> None:
    run = project.files(conftest=REVERSED, test_a=TESTS).run("-n2", "-v", "-s")
    run.match("*pending after the first step 16 of 20*")
    run.match("scheduling tests via Backwards")
    assert run.counts == {"passed": 20}


def test_class_with_the_whole_interface(project: Project) -> None:
    run = project.files(conftest=WHOLE_INTERFACE, test_a=TESTS).run("-n2", "-v", "-s")
    run.match("*own scheduler with 2 nodes, 20 tests*")
    assert (run.ret, run.counts) == (0, {"passed": 20})
    collected = [line for line in project.plain("--collect-only", "-q").lines if "::" in line]
    assert {worker for worker, _ in re.findall(r"\[(gw\d)\] +(PASSED)", run.out)} == {"gw1"}
    ran = re.findall(r"PASSED (test_a\.py::\S+)", run.out)
    assert ran == collected[::-1]


def test_a_hook_that_declines_leaves_dist(project: Project) -> None:
    source = "def pytest_xdist_make_scheduler(config, log): return None\n"
    run = project.files(conftest=source, test_a=TESTS).run("-n2", "--dist=loadscope", "-v")
    run.match("scheduling tests via LoadScopeScheduling")
    assert run.counts == {"passed": 20}


@pytest.mark.parametrize("engine_failure", ["raises", "forgets"])
def test_broken_scheduler_ends_with_an_error(project: Project, engine_failure: str) -> None:
    """An exception in a user's scheduler is an internal error with its traceback, not a hang."""
    bodies = {"raises": "raise ValueError('my scheduler broke')", "forgets": "return super().nothing_of_that_name()"}
    source = f"""
        from xdist.scheduler import LoadScheduling
        class Broken(LoadScheduling):
            def schedule(self): {bodies[engine_failure]}
        def pytest_xdist_make_scheduler(config, log): return Broken(config, log)
    """
    run = project.files(conftest=source, test_a=TESTS).run("-n2")
    assert run.ret == 3
    assert "INTERNALERROR" in run.out + run.err
    assert ("my scheduler broke" if engine_failure == "raises" else "nothing_of_that_name") in run.out + run.err
