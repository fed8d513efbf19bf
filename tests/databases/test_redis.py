"""Databases of Redis by number: who has which, what is cleared, and what is never touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import redis_server
from project import Project, Run, _environ
from redis_server import Server

pytest.importorskip("redis")

LIMIT = 240.0
QUIET = ("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:django")
TABLE = '[tool.outpace.databases.cache]\nurl-env = "REDIS_URL"\nstrategy = "clone"\n'
MARK = "outpace:leased"
TESTS = """
    import os, time
    import pytest
    import redis

    @pytest.mark.parametrize("n", range({count}))
    def test_it(n):
        url = os.environ["REDIS_URL"]
        client = redis.Redis.from_url(url)
        worker = os.environ.get("PYTEST_XDIST_WORKER", "master")
        found = client.get("whose")
        assert found in (None, worker.encode()), url
        assert client.dbsize() <= 1
        client.set("whose", worker)
        time.sleep(0.05)
        assert client.get("whose") == worker.encode()
        open(f"seen-{{worker}}-{{url.rsplit('/', 1)[1]}}", "w").close()
"""
SLOW = """
    import os, pathlib, time
    import pytest
    import redis

    @pytest.mark.parametrize("n", range(3))
    def test_slow(n):
        redis.Redis.from_url(os.environ["REDIS_URL"]).set("whose", n)
        pathlib.Path(f"running-{n}").touch()
        time.sleep(600)
"""


@pytest.fixture
def cached(project: Project) -> Project:
    project.write("pyproject.toml", TABLE)
    project.files(test_it=TESTS.format(count=12))
    return project


@pytest.fixture
def small() -> Iterator[Server]:
    """With three databases."""
    if redis_server.binary() is None:
        pytest.skip("no Redis server is installed")
    server = Server("--databases", "3")
    yield server
    server.stop()


def run(project: Project, server: Server, *args: str) -> Run:
    return project.run(*QUIET, *args, env={"REDIS_URL": server.url()}, limit=LIMIT)


def start(project: Project, server: Server, *args: str) -> subprocess.Popen[bytes]:
    environ = _environ({"REDIS_URL": server.url()}, project.path / "record")
    command = [sys.executable, "-m", "pytest", *QUIET, *args]
    return subprocess.Popen(command, cwd=project.path, env=environ, stdout=subprocess.DEVNULL)


def wait_for(project: Project, count: int) -> None:
    until = time.monotonic() + LIMIT
    while len(list(project.path.glob("running-*"))) < count:
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_each_worker_has_its_own_and_leaves_it_empty(cached: Project, redis: Server, method: str) -> None:
    redis.call("SET", "mine", "kept")
    result = run(cached, redis, "-n3", "--start-method", method)
    assert result.counts == {"passed": 12}, result.out
    seen = [path.name.split("-")[1:] for path in cached.path.glob("seen-*")]
    assert len({number for _, number in seen}) == len(seen) > 1
    assert "0" not in {number for _, number in seen}
    assert redis.keys() == {0: 1}
    assert run(cached, redis, "-n0").counts == {"passed": 12}
    assert redis.keys() == {0: 1}
    assert "outpace" not in redis.call("CLIENT", "LIST")


def test_what_holds_somebodys_keys_is_not_taken(cached: Project, redis: Server) -> None:
    for number in (15, 14, 12):
        redis.call("SET", "theirs", "kept", number=number)
    assert run(cached, redis, "-n3").counts == {"passed": 12}
    assert not {"12", "14", "15"} & {path.name.rsplit("-", 1)[1] for path in cached.path.glob("seen-*")}
    assert redis.keys() == {15: 1, 14: 1, 12: 1}


def test_two_runs_at_once_never_share_one(project: Project, redis: Server) -> None:
    """And what a killed one leaves, the next one clears."""
    project.write("pyproject.toml", TABLE)
    project.files(test_slow=SLOW, test_it=TESTS.format(count=6))
    killed = start(project, redis, "-n3", "test_slow.py")
    live = None
    try:
        wait_for(project, 3)
        left = set(redis.keys()) - {0}
        assert len(left) == 3
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        until = time.monotonic() + LIMIT
        while "outpace-lease" in redis.call("CLIENT", "LIST"):
            assert time.monotonic() < until
            time.sleep(0.05)
        for path in project.path.glob("running-*"):
            path.unlink()
        live = start(project, redis, "-n3", "test_slow.py")
        wait_for(project, 3)
        of_live = {number for number, count in redis.keys().items() if number and count}
        assert len(of_live) == 3  # the killed one's are empty, or the live one's
        assert run(project, redis, "-n3", "test_it.py").counts == {"passed": 6}
        assert set(redis.keys()) - {0} == of_live
        live.send_signal(signal.SIGKILL)
        live.wait()
        assert run(project, redis, "-n2", "test_it.py").counts == {"passed": 6}
        assert redis.keys() == {}
    finally:
        for process in filter(None, (killed, live)):
            process.kill()
            process.wait()


def test_many_runs_at_once(project: Project, redis: Server) -> None:
    """They begin at the same moment, and want all that there is."""
    project.write("pyproject.toml", TABLE)
    project.files(test_it=TESTS.format(count=20))
    runs = [start(project, redis, "-n3") for _ in range(4)]
    assert [process.wait(LIMIT) for process in runs] == [0] * 4
    assert redis.keys() == {}


def test_ctrl_c_leaves_nothing(project: Project, redis: Server) -> None:
    project.write("pyproject.toml", TABLE)
    project.files(test_slow=SLOW)
    process = start(project, redis, "-n3")
    try:
        wait_for(project, 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 2
    finally:
        process.kill()
        process.wait()
    assert redis.keys() == {}


def test_more_workers_than_databases(cached: Project, small: Server) -> None:
    result = run(cached, small, "-n3")
    assert result.ret == 4, result.out + result.err
    text = " ".join((result.out + result.err).split())
    assert "pyproject.toml:1: [tool.outpace.databases.cache]: the server of redis://" in text
    assert "has no database left for another worker: of 3, 1 is the address's own (0), 2 are this run's" in text
    assert "Use fewer workers (-n 2), set `databases` in redis.conf to more" in text
    assert 'strategy = "serial"' in text
    assert not list(cached.path.glob("seen-*"))
    assert small.keys() == {}
    assert run(cached, small, "-n2").counts == {"passed": 12}
    small.call("SET", "theirs", "kept", number=1)
    result = run(cached, small, "-n2")
    assert "1 hold keys that are not outpace's (1)" in " ".join((result.out + result.err).split())
    assert small.keys() == {1: 1}


def test_a_worker_that_dies_is_followed_by_one_with_an_empty_one(cached: Project, small: Server) -> None:
    """There is none left: the next one has that of the one before."""
    cached.files(
        test_a_dies="""
        import os, redis, signal

        def test_dies():
            redis.Redis.from_url(os.environ["REDIS_URL"]).set("left", 1)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    result = run(cached, small, "-n2")
    assert result.counts == {"failed": 1, "passed": 12}, result.out
    assert small.keys() == {}


def test_a_test_that_empties_everything(cached: Project, redis: Server) -> None:
    """The leases are no keys."""
    cached.files(
        test_a="""
        import os, redis
        def test_all(): redis.Redis.from_url(os.environ["REDIS_URL"]).flushall()
        """
    )
    result = run(cached, redis, "-n1")
    assert result.counts == {"passed": 13}, result.out
    assert redis.keys() == {}


def test_a_unix_socket(cached: Project, redis: Server) -> None:
    result = cached.run(*QUIET, "-n2", env={"REDIS_URL": f"unix://{redis.socket}?db=0"}, limit=LIMIT)
    assert result.ret != 4, result.out + result.err
    assert redis.keys() == {}


def test_it_is_not_rolled_back(redis: Server) -> None:
    import redis as library
    from outpace.transactions import rolled_back

    client = library.Redis.from_url(redis.url())
    with pytest.raises(TypeError, match="Redis cannot take back what a test has written"):
        rolled_back(client)
    client.close()


def test_an_encrypted_connection_has_no_number_to_exchange(project: Project) -> None:
    project.write(
        "pyproject.toml",
        '[tool.outpace.databases.cache]\nstrategy = "clone"\nurl = "rediss://127.0.0.1:1/0"\n\n'
        '[tool.outpace.isolate]\nkinds = ["ports"]\n',
    )
    project.files(test_it="def test_it(): pass")
    result = project.run(*QUIET, "-n2")
    assert result.ret == 4
    assert "are encrypted, so that nobody can exchange the number in them on the way: set `url-env`" in (
        result.out + result.err
    )
