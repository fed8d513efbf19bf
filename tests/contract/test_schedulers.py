"""What each ``--dist`` mode promises about where tests run, and schedulers of the user's own (contract 1.7)."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from project import NO_REORDER, Project, Run

_LINE = re.compile(r"^\[(gw\d+)\] \[ *\d+%\] (?:PASSED|FAILED|SKIPPED) (\S+)")
SCOPES = """
    import pytest, time
    @pytest.mark.parametrize("i", range(6))
    def test_function(i): time.sleep(0.01)
    class TestOne:
        @pytest.mark.parametrize("i", range(6))
        def test_method(self, i): time.sleep(0.01)
    class TestTwo:
        @pytest.mark.parametrize("i", range(6))
        def test_method(self, i): time.sleep(0.01)
"""
GROUPS = """
    import pytest, time
    @pytest.mark.xdist_group("alpha")
    @pytest.mark.parametrize("i", range(6))
    def test_alpha(i): time.sleep(0.02)
    @pytest.mark.xdist_group(name="beta")
    @pytest.mark.parametrize("i", range(6))
    def test_beta(i): time.sleep(0.02)
    @pytest.mark.parametrize("i", range(6))
    def test_free(i): time.sleep(0.02)
    @pytest.mark.xdist_group
    @pytest.mark.parametrize("i", range(3))
    def test_default(i): time.sleep(0.02)
    @pytest.mark.xdist_group("beta")
    @pytest.mark.xdist_group(1)
    @pytest.mark.parametrize("i", ["a@b", "c"])
    def test_two(i): pass
"""


def placed(run: Run) -> list[tuple[str, str]]:
    """(worker, node id) in the order reported by ``-v``; a group's name is cut off."""
    found = [match.groups() for match in map(_LINE.match, run.lines) if match]
    return [(worker, _without_group(nodeid)) for worker, nodeid in found]


def _without_group(nodeid: str) -> str:
    at = nodeid.rfind("@")
    return nodeid[:at] if at > nodeid.rfind("]") else nodeid


def workers_by(run: Run, key: str) -> dict[str, set[str]]:
    """What matches ``key`` in a node id -> the workers that ran it."""
    found: dict[str, set[str]] = {}
    for worker, nodeid in placed(run):
        match = re.search(key, nodeid)
        if match:
            found.setdefault(match[0], set()).add(worker)
    return found


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup"])
def test_every_test_runs_once(project: Project, dist: str) -> None:
    project.files(test_a=SCOPES, test_b=SCOPES, test_c=SCOPES)
    run = project.run("-n3", f"--dist={dist}", "-v")
    assert (run.ret, run.counts) == (0, {"passed": 54})
    assert set(Counter(nodeid for _, nodeid in placed(run)).values()) == {1}
    assert len(placed(run)) == 54


def test_each_runs_all_on_all(project: Project) -> None:
    project.files(test_a=SCOPES)
    run = project.run("-n2", "--dist=each", "-v")
    assert run.counts == {"passed": 36}
    seen = placed(run)
    own = {worker: [nodeid for by, nodeid in seen if by == worker] for worker in ("gw0", "gw1")}
    assert own["gw0"] == own["gw1"]
    assert len(own["gw0"]) == 18


@pytest.mark.parametrize("extra", sorted({(), NO_REORDER}))
def test_loadscope_keeps_a_scope_together(project: Project, extra: tuple[str, ...]) -> None:
    project.files(test_a=SCOPES, test_b=SCOPES)
    run = project.run("-n2", "--dist=loadscope", "-v", *extra)
    scopes: dict[str, set[str]] = {}
    for worker, nodeid in placed(run):
        scopes.setdefault(nodeid.rsplit("::", 1)[0], set()).add(worker)
    assert len(scopes) == 6
    assert all(len(workers) == 1 for workers in scopes.values()), scopes


def test_loadfile_keeps_a_file_together(project: Project) -> None:
    project.files(**{f"test_{name}": SCOPES for name in "abcd"})
    files = workers_by(project.run("-n2", "--dist=loadfile", "-v"), r"^test_\w+\.py")
    assert len(files) == 4
    assert all(len(workers) == 1 for workers in files.values()), files
    assert set.union(*files.values()) == {"gw0", "gw1"}


def test_loadgroup_keeps_a_group_together(project: Project) -> None:
    project.files(test_g=GROUPS, test_h=GROUPS)
    run = project.run("-n3", "--dist=loadgroup", "-v")
    assert run.counts == {"passed": 46}
    groups = workers_by(run, "test_(alpha|beta|default|two)")
    assert len(groups) == 4
    assert all(len(workers) == 1 for workers in groups.values()), groups
    assert len(workers_by(run, "test_free")["test_free"]) > 1


@pytest.mark.fixed_by_outpace("the group is part of the node id")
def test_loadgroup_leaves_node_ids_alone(project: Project) -> None:
    project.files(test_g=GROUPS)
    serial = project.plain(record=True)
    grouped = project.run("-n2", "--dist=loadgroup", record=True)
    assert {one["nodeid"] for one in grouped.recorded["reports"]} == {
        one["nodeid"] for one in serial.recorded["reports"]
    }


def test_groups_mean_nothing_to_other_modes(project: Project) -> None:
    project.files(test_g=GROUPS)
    run = project.run("-n2", "--dist=load", "-v")
    assert "@alpha" not in run.out
    assert len(placed(run)) == 23


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadfile"])
def test_order_inside_a_worker_is_the_collections(project: Project, dist: str) -> None:
    """Code with a hidden dependence on the order inside a file relies on it."""
    project.files(**{f"test_{name}": SCOPES for name in "ab"})
    run = project.run("-n2", f"--dist={dist}", *NO_REORDER, "-v")
    assert run.counts == {"passed": 36}
    collected = [line for line in project.plain("--collect-only", "-q").lines if "::" in line]
    for worker in ("gw0", "gw1"):
        for file in ("test_a.py", "test_b.py"):
            own = [nodeid for by, nodeid in placed(run) if by == worker and nodeid.startswith(file)]
            assert own == sorted(own, key=collected.index)


def test_two_tests_use_two_workers(project: Project) -> None:
    project.files(test_a="import time\ndef test_a(): time.sleep(0.2)\ndef test_b(): time.sleep(0.2)")
    assert {worker for worker, _ in placed(project.run("-n2", "-v"))} == {"gw0", "gw1"}


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup"])
def test_more_workers_than_tests(project: Project, dist: str) -> None:
    project.files(test_a="def test_a(): pass")
    assert project.run("-n4", f"--dist={dist}").counts == {"passed": 1}


def test_nextitem_is_real_for_higher_scopes(project: Project) -> None:
    """A module fixture is torn down when its worker leaves the module, not after each test."""
    project.files(
        **{
            f"test_{name}": """
                import pytest, os
                @pytest.fixture(scope="module")
                def module_fixture(request):
                    with open("log.txt", "a") as file: file.write(f"up {request.node.name} {os.getpid()}\\n")
                    yield
                    with open("log.txt", "a") as file: file.write(f"down {request.node.name} {os.getpid()}\\n")
                @pytest.mark.parametrize("i", range(5))
                def test_it(module_fixture, i): pass
            """
            for name in "abcd"
        }
    )
    assert project.run("-n2", "--dist=loadfile").counts == {"passed": 20}
    log = (project.path / "log.txt").read_text().splitlines()
    assert sorted(Counter(line.rsplit(" ", 1)[0] for line in log).items()) == [
        (f"{what} test_{name}.py", 1) for what in ("down", "up") for name in "abcd"
    ]
    for pid in {line.rsplit(" ", 1)[1] for line in log}:
        own = [line.split()[0] for line in log if line.endswith(pid)]
        assert own == ["up", "down"] * (len(own) // 2)
