"""``@pytest.mark.serial``: alone, together, at the end or at the start, whatever the mode."""

from __future__ import annotations

import pytest
from watched import Watched, alone, each_once

PARALLEL = """
    import time
    import pytest

    @pytest.mark.parametrize("n", range(8))
    def test_parallel(n):
        time.sleep(0.03)
"""
MIXED = """
    import time
    import pytest

    @pytest.mark.serial("it counts processes")
    @pytest.mark.parametrize("n", range(3))
    def test_serial(n):
        time.sleep(0.03)

    @pytest.mark.parametrize("n", range(4))
    def test_mixed(n):
        time.sleep(0.03)
"""
ALONE = 3


def suite(watched: Watched) -> Watched:
    return watched.files(test_a=PARALLEL, test_b=MIXED)


def test_serial_tests_are_alone_in_every_mode_and_with_every_start_method(
    watched: Watched, mode: str, method: str
) -> None:
    times = 3 if mode == "each" else 1
    run = suite(watched).run("-n3", "--dist", mode, "--start-method", method)
    assert run.counts == {"passed": 15 * times}
    each_once(watched.spans, times)
    serial = watched.named("test_serial")
    alone(serial, watched.spans)
    assert max(span.end for span in watched.named("test_p") + watched.named("test_m")) <= serial[0].begin
    run.match(f"outpace: {ALONE * times} serial tests ran alone at the end")


@pytest.mark.parametrize("mode", ["load", "loadfile"])
def test_they_stay_together_and_in_order(watched: Watched, mode: str) -> None:
    suite(watched).run("-n3", "--dist", mode)
    serial = watched.named("test_serial")
    assert [span.name for span in serial] == [f"test_serial[{n}]" for n in range(ALONE)]
    assert len({span.worker for span in serial}) == 1


def test_at_the_start_where_the_project_wants_it(watched: Watched, mode: str) -> None:
    suite(watched).ini("outpace_serial = first")
    run = watched.run("-n3", "--dist", mode)
    assert run.ret == 0
    serial = watched.named("test_serial")
    alone(serial, watched.spans)
    if mode != "each":
        assert [span.name for span in watched.spans][:ALONE] == [span.name for span in serial]
    run.match("outpace: * serial tests ran alone at the start")


def test_a_value_that_is_neither_is_refused(watched: Watched) -> None:
    run = suite(watched).ini("outpace_serial = early").run("-n2")
    assert run.ret == 4
    assert "outpace_serial = 'early'" in run.err and "first, last" in run.err


def test_what_others_have_set_up_is_torn_down_before(watched: Watched) -> None:
    watched.files(
        test_a="""
            import time
            import pytest
            from conftest import alive

            @pytest.fixture(scope="session")
            def server():
                with alive("server"):
                    yield

            @pytest.mark.parametrize("n", range(6))
            def test_parallel(server, n):
                time.sleep(0.03)

            @pytest.mark.serial
            @pytest.mark.parametrize("n", range(2))
            def test_serial(n):
                time.sleep(0.03)
        """
    )
    assert watched.run("-n3").ret == 0
    alone(watched.named("test_serial"), watched.spans)


def test_their_fixtures_are_used_again_by_the_next_one(watched: Watched) -> None:
    watched.files(
        test_a="""
            import pytest
            from conftest import alive
            pytestmark = pytest.mark.serial

            @pytest.fixture(scope="module")
            def server():
                with alive("server"):
                    yield

            @pytest.mark.parametrize("n", range(5))
            def test_serial(server, n):
                pass
        """
    )
    assert watched.run("-n2").ret == 0
    assert len(watched.named("server")) == 1


def test_verbosity_says_which_and_why(watched: Watched) -> None:
    suite(watched)
    run = watched.run("-n2", "-vv")
    run.match(
        "outpace: 3 serial tests ran alone at the end",
        "  test_b.py::test_serial[[]0]: it counts processes",
    )
    run = watched.run("-n2", "-v")
    run.match("  test_b.py::test_serial[[]0]")
    run.no_match("*counts processes*")
    watched.run("-n2", "-q").no_match("outpace: * alone*")
    watched.run("-n2", "test_a.py").no_match("outpace: * alone*")


def test_the_first_failure_ends_a_run_as_ever(watched: Watched) -> None:
    watched.files(
        test_a="""
            import pytest

            def test_parallel(): pass

            @pytest.mark.serial
            @pytest.mark.parametrize("n", range(3))
            def test_serial(n):
                assert n < 1
        """
    )
    run = watched.run("-n2", "-x")
    assert run.ret in (1, 2)
    assert run.counts["failed"] == 1
    assert "test_serial[2]" not in watched.begun


@pytest.mark.parametrize("restarts", ["--max-worker-restart=4", "--max-worker-restart=0"])
def test_a_crash_in_one_leaves_the_rest_to_another_worker(watched: Watched, restarts: str) -> None:
    watched.files(
        test_a=PARALLEL,
        test_b="""
            import os, time
            import pytest

            @pytest.mark.serial
            @pytest.mark.parametrize("n", range(5))
            def test_serial(n):
                time.sleep(0.02)
                if n == 1:
                    os.kill(os.getpid(), 9)
        """,
    )
    run = watched.run("-n2", restarts)
    if restarts.endswith("4"):
        assert run.counts == {"passed": 12, "failed": 1}
        assert [span.name for span in watched.named("test_serial")] == [f"test_serial[{n}]" for n in (0, 2, 3, 4)]
        run.match("outpace: 4 serial tests ran alone at the end")
    assert "crashed while running 'test_b.py::test_serial[1]'" in run.out
    assert run.ret != 0
    alone(watched.named("test_serial"), watched.spans)


def test_without_workers_nothing_changes(watched: Watched) -> None:
    run = suite(watched).run("-n0")
    assert run.counts == {"passed": 15}
    assert [span.name for span in watched.spans][8:11] == [f"test_serial[{n}]" for n in range(ALONE)]
    run.no_match("outpace:*")


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_strict_markers_know_both(watched: Watched, workers: str) -> None:
    watched.files(test_a="import pytest\n\n@pytest.mark.serial\n@pytest.mark.resource('db')\ndef test(): pass\n")
    run = watched.run(workers, "--strict-markers", "-W", "error")
    assert run.counts == {"passed": 1}, run.out


def test_a_class_and_a_module_may_be_serial(watched: Watched) -> None:
    watched.files(
        test_a=PARALLEL,
        test_b="""
            import pytest

            @pytest.mark.serial("shares a file")
            class TestSerial:
                def test_serial_one(self): pass
                def test_serial_two(self): pass
        """,
    )
    run = watched.run("-n2", "-vv")
    alone(watched.named("test_serial"), watched.spans)
    run.match("  test_b.py::TestSerial::test_serial_two: shares a file")


def test_under_a_scheduler_of_the_projects_own_they_are_alone_too(watched: Watched) -> None:
    suite(watched)
    with (watched.path / "conftest.py").open("a") as file:
        file.write(
            "\nfrom xdist.dsession import LoadScheduling\n\n"
            "class Own(LoadScheduling):\n    pass\n\n"
            "def pytest_xdist_make_scheduler(config, log):\n    return Own(config, log)\n"
        )
    run = watched.run("-n3")
    assert run.counts == {"passed": 15}, run.out
    each_once(watched.spans)
    alone(watched.named("test_serial"), watched.spans)
    run.match("outpace: 3 serial tests ran alone")
