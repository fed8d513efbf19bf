"""Plugins that choose, order or divide tests: pytest-randomly, pytest-order, pytest-split."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .lab import SERIAL, Lab, Mode, Run, assert_same

NO_SEED = ("-p", "no:cacheprovider")
ONLY_MARKED = ("test_marked.py",)
GROUP = ("--splits", "2", "--group", "1", "--durations-path=durations.json")


def is_part_of(part: Sequence[str], whole: Sequence[str]) -> bool:
    """``part`` is ``whole`` with elements left out, in the same order."""
    rest = iter(whole)
    return all(any(each == other for other in rest) for each in part)


def order_by_worker(run: Run) -> dict[str, list[str]]:
    """Tests in the order in which each process started them (one entry, named ``None``, for a serial run)."""
    found: dict[str, list[str]] = {}
    for report in sorted(run.record["reports"], key=lambda report: float(report["start"])):
        if report["when"] == "setup":
            found.setdefault(str(report["worker"]), []).append(report["nodeid"])
    return found


def in_file(nodeids: Sequence[str], file: str) -> list[str]:
    return [nodeid for nodeid in nodeids if nodeid.startswith(f"{file}::")]


def assert_files_keep_order(serial: Run, parallel: Run) -> None:
    whole = order_by_worker(serial)["None"]
    by_worker = order_by_worker(parallel)
    assert sorted(nodeid for nodeids in by_worker.values() for nodeid in nodeids) == sorted(whole)
    for worker, nodeids in by_worker.items():
        for file in {nodeid.partition("::")[0] for nodeid in whole}:
            assert is_part_of(in_file(nodeids, file), in_file(whole, file)), (worker, nodeids, whole)


# ------------------------------------------------------------------ pytest-randomly


def seeds(run: Run) -> dict[str, int]:
    notes = [json.loads(line) for line in (run.folder / "seeds.jsonl").read_text().splitlines()]
    return {note["worker"]: note["seed"] for note in notes}


def test_random_values_and_order(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("randomly", SERIAL), lab.run("randomly", mode)
    assert_same(serial, parallel)
    drawn = {r["nodeid"]: r["sections"] for r in parallel.record["reports"] if "draws" in r["nodeid"]}
    assert len(drawn) == 12
    assert all(sections for sections in drawn.values()), "nothing was printed: nothing was compared"
    assert_files_keep_order(serial, parallel)
    collected = [nodeid for nodeid in order_by_worker(serial)["None"] if "draws_alpha" in nodeid]
    assert collected != sorted(collected), "the seed of the table does not shuffle"


def test_chosen_seed_reaches_every_worker(lab: Lab, mode: Mode) -> None:
    parallel = lab.run("randomly", mode, args=NO_SEED)
    header = [line for line in parallel.lines if line.startswith("Using --randomly-seed=")]
    assert len(header) == 1, parallel.output
    seed = header[0].partition("=")[2]
    assert seeds(parallel) == {"gw0": int(seed), "gw1": int(seed)}
    assert_same(lab.run("randomly", SERIAL, f"--randomly-seed={seed}", args=NO_SEED), parallel)


# ------------------------------------------------------------------ pytest-order


def ran(run: Run) -> dict[str, list[str]]:
    """What the project noted itself: the tests each process called, in order."""
    return {
        path.stem.partition("-")[2]: [json.loads(line) for line in path.read_text().splitlines()]
        for path in run.folder.glob("ran-*.jsonl")
    }


def test_order_marks_inside_a_worker(lab: Lab, mode: Mode) -> None:
    serial = ran(lab.run("order", SERIAL, args=ONLY_MARKED))["master"]
    assert [nodeid[-1] for nodeid in serial] == list("abcdefgz")
    parallel = ran(lab.run("order", mode, args=ONLY_MARKED))
    assert set(parallel) <= {"gw0", "gw1"}
    assert sorted(nodeid for nodeids in parallel.values() for nodeid in nodeids) == sorted(serial)
    for worker, nodeids in parallel.items():
        assert is_part_of(nodeids, serial), (worker, nodeids)


# ------------------------------------------------------------------ pytest-split


def durations(run: Run) -> dict[str, float]:
    stored: dict[str, float] = json.loads((run.folder / "durations.json").read_text())
    return stored


def test_split_stores_all_durations(lab: Lab, mode: Mode) -> None:
    parallel = lab.run("split", mode)
    stored = durations(parallel)
    assert set(stored) == set(parallel.table()) | {"test_gone.py::test_gone"}
    assert set(stored) == set(durations(lab.run("split", SERIAL)))
    for nodeid, outcome in parallel.table().items():
        least = 0.05 if "test_slow[" in nodeid else 0.02 if "test_setup" in nodeid else 0.0
        assert least <= stored[nodeid] < 10.0, (nodeid, outcome, stored[nodeid])


def test_split_group(lab: Lab, mode: Mode) -> None:
    serial, parallel = (lab.run("split", each, args=GROUP) for each in (SERIAL, mode))
    assert_same(serial, parallel)
    assert 0 < len(parallel.table()) < len(lab.run("split", SERIAL).table())
