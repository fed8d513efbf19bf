"""``@pytest.mark.resource``: never more holders than there is, and nobody waits who could do something else."""

from __future__ import annotations

import pytest
from watched import Span, Watched, at_most, each_once

GPUS = '[tool.outpace.resources]\nGPU = ["a", "b"]\n'


def pyproject(watched: Watched, text: str) -> Watched:
    watched.write("pyproject.toml", text)
    return watched


def needs(mark: str, count: int = 6, name: str = "test_held", body: str = "time.sleep(0.03)") -> str:
    return (
        f"import os, time\nimport pytest\n\n@pytest.mark.{mark}\n"
        f'@pytest.mark.parametrize("n", range({count}))\ndef {name}(n):\n    {body}\n'
    )


FREE = 'import time, pytest\n\n@pytest.mark.parametrize("n", range(8))\ndef test_free(n):\n    time.sleep(0.03)\n'


def test_a_resource_that_is_not_declared_has_one_holder(watched: Watched, mode: str, method: str) -> None:
    watched.files(test_a=needs('resource("db")', 3), test_b=needs('resource("db")', 3, "test_held_too"), test_c=FREE)
    times = 3 if mode == "each" else 1
    run = watched.run("-n3", "--dist", mode, "--start-method", method)
    assert run.counts == {"passed": 14 * times}
    each_once(watched.spans, times)
    at_most(1, watched.named("test_held"))


def test_a_capacity_has_as_many_holders(watched: Watched, method: str) -> None:
    pyproject(watched, "[tool.outpace.resources]\ngpu = 2\n")
    watched.files(test_a=needs('resource("gpu", 1)', 8), test_b=needs('resource("gpu", 2)', 3, "test_all"), test_c=FREE)
    assert watched.run("-n4", "--start-method", method).ret == 0
    at_most(2, watched.named("test_held"))
    for span in watched.named("test_all"):
        assert not any(span.meets(other) for other in watched.named("test_held"))
    at_most(1, watched.named("test_all"))


def test_sizes_add_up(watched: Watched) -> None:
    pyproject(watched, '[tool.outpace.resources]\nmemory = "1GB"\n')
    watched.files(test_a=needs('resource("memory", "400MB")', 9))
    assert watched.run("-n4").ret == 0
    at_most(2, watched.spans)


def test_whoever_cannot_have_it_runs_something_else(watched: Watched) -> None:
    watched.files(test_a=needs('resource("db")', 4, body="time.sleep(0.1)"), test_b=FREE)
    assert watched.run("-n2").ret == 0
    held, free = watched.named("test_held"), watched.named("test_free")
    assert any(span.meets(other) for span in held for other in free)
    assert len({span.worker for span in held}) == 1, "the holder goes on"


def test_several_are_taken_together(watched: Watched) -> None:
    both = 'resource("a")\n@pytest.mark.resource("b")'
    watched.files(
        test_a=needs(both, 4, "test_ab"),
        test_b=needs('resource("a")', 4, "test_a"),
        test_c=needs('resource("b")', 4, "test_b"),
    )
    assert watched.run("-n4").ret == 0
    at_most(1, [span for span in watched.spans if "a" in span.name.removeprefix("test_")])
    at_most(1, [span for span in watched.spans if "b" in span.name.removeprefix("test_")])


def held_at_once(spans: list[Span]) -> None:
    for span in spans:
        for other in spans:
            if other is not span and other.meets(span):
                assert not set(span.value.split(",")) & set(other.value.split(",")), (span, other)


@pytest.mark.parametrize("mode", ["load", "loadfile", "each"])
def test_values_are_in_the_environment_while_a_test_holds_them(watched: Watched, method: str, mode: str) -> None:
    pyproject(watched, GPUS)
    body = 'assert os.environ["GPU"] in ("a", "b"); time.sleep(0.03)'
    watched.files(
        test_a=needs('resource("GPU")', 3, body=body),
        test_b=needs('resource("GPU")', 3, "test_held_too", body=body),
        test_c=needs('resource("GPU", 2)', 2, "test_all", body='assert os.environ["GPU"] in ("a,b", "b,a")'),
        test_d="import os\n\ndef test_without(): assert 'GPU' not in os.environ\n",
    )
    run = watched.run("-n3", "--dist", mode, "--start-method", method)
    assert run.ret == 0, run.out
    held_at_once([span for span in watched.spans if span.value])
    assert {span.value for span in watched.named("test_held")} <= {"a", "b"}


def test_a_value_that_was_there_comes_back(watched: Watched) -> None:
    pyproject(watched, GPUS)
    check = "import os\n\ndef test_{0}(): assert os.environ['GPU'] == 'mine'\n"
    watched.files(test_a=check.format("a"), test_b=needs('resource("GPU")', 2), test_c=check.format("c"))
    assert watched.run("-n1", env={"GPU": "mine"}).ret == 0
    assert watched.run("-n0", env={"GPU": "mine"}).ret == 0


def test_without_workers_the_first_values_are_there(watched: Watched) -> None:
    pyproject(watched, GPUS)
    watched.files(test_a=needs('resource("GPU", 2)', 2, body='assert os.environ["GPU"] == "a,b"'))
    assert watched.run("-n0").counts == {"passed": 2}


def test_a_fixture_that_outlives_its_test_holds_it_until_it_is_torn_down(watched: Watched, mode: str) -> None:
    pyproject(watched, '[[tool.outpace.overrides]]\nfilter = "fixture(database)"\nresources = ["db"]\n')
    with (watched.path / "conftest.py").open("a") as file:
        file.write(
            '\n@pytest.fixture(scope="session")\ndef database():\n    with alive("database"):\n        yield\n'
            '\n@pytest.fixture(scope="module")\ndef table(database):\n    with alive("table"):\n        yield\n'
        )
    source = (
        "import time, pytest\n\n"
        "def test_before(): time.sleep(0.02)\n\n"
        '@pytest.mark.parametrize("n", range(3))\ndef test_held(table, n): time.sleep(0.02)\n\n'
        '@pytest.mark.parametrize("n", range(3))\ndef test_after(n): time.sleep(0.02)\n'
    )
    watched.files(test_a=source, test_b=source, test_c=source)
    run = watched.run("-n3", "--dist", mode)
    assert run.ret == 0, run.out
    at_most(1, watched.named("database"))
    at_most(1, watched.named("table"))


def test_a_crash_gives_back_what_was_held(watched: Watched) -> None:
    watched.files(test_a=needs('resource("db")', 5, body="time.sleep(0.02); n == 2 and os.kill(os.getpid(), 9)"))
    run = watched.run("-n2")
    assert run.counts == {"passed": 4, "failed": 1}
    at_most(1, watched.spans)


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ('resource("gpu", 3)', "needs 3 of resource `gpu`, of which there is 2: set `gpu` under *tool.outpace*"),
        ('resource("db", 2)', "needs 2 of resource `db`, of which there is 1"),
        ('resource("gpu", "much")', "'much' is not an amount"),
        ('resource("gpu", 0)', "0 is not an amount"),
        ("resource()", 'write resource("db")'),
        ("resource(1)", 'write resource("db")'),
    ],
)
def test_what_cannot_be_is_refused_with_test_and_place(
    watched: Watched, workers: str, mark: str, message: str
) -> None:
    pyproject(watched, "[tool.outpace.resources]\ngpu = 2\n")
    watched.files(test_a=needs(mark, 2))
    run = watched.run(workers)
    assert run.ret == 4, run.out
    text = run.out + run.err
    pytest.LineMatcher(text.splitlines()).fnmatch_lines([f"*test_a.py::test_held[[]0[]] (test_a.py:*)*{message}*"])
    assert "Traceback" not in text and not (watched.path / "notes").exists()


def test_tests_that_are_serial_too_have_their_resources(watched: Watched) -> None:
    pyproject(watched, GPUS)
    watched.files(
        test_a=needs('resource("GPU")\n@pytest.mark.serial', 3, body='assert os.environ["GPU"] == "a"'), test_b=FREE
    )
    run = watched.run("-n3")
    run.match("outpace: 3 serial tests ran alone at the end")
    assert run.ret == 0


def test_marks_of_single_parameters_and_of_unittest_classes_count(watched: Watched) -> None:
    watched.files(
        test_a="""
            import time, unittest
            import pytest

            @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.resource("db"))])
            def test_held(n):
                time.sleep(0.05)

            @pytest.mark.resource("db")
            class Old(unittest.TestCase):
                def test_held_one(self): time.sleep(0.05)
                def test_held_two(self): time.sleep(0.05)
        """
    )
    assert watched.run("-n4").counts == {"passed": 4}
    at_most(1, [span for span in watched.spans if span.name != "test_held[1]"])


def test_a_session_fixture_lives_on_where_nobody_waits_for_what_it_holds(watched: Watched) -> None:
    pyproject(watched, '[[tool.outpace.overrides]]\nfilter = "fixture(database)"\nresources = ["db"]\n')
    with (watched.path / "conftest.py").open("a") as file:
        file.write(
            '\n@pytest.fixture(scope="session")\ndef database():\n    with alive("database"):\n        yield\n'
            '\n@pytest.fixture(scope="session", autouse=True)\ndef server():\n'
            '    with alive("server"):\n        yield\n'
        )
    watched.files(
        test_a="def test_held(database): pass\n",
        test_b='import pytest\n\n@pytest.mark.parametrize("n", range(5))\ndef test_free(n): pass\n',
    )
    assert watched.run("-n1").ret == 0
    assert (len(watched.named("server")), len(watched.named("database"))) == (1, 1)
