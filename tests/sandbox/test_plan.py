"""Which mounts, in which order; what passes through; what settings say."""

from __future__ import annotations

from pathlib import Path

import pytest
from outpace import isolation
from outpace.settings import load
from outpace.worker.sandbox_plan import Impossible, Step, mounts_below, steps

OWN = ["/tmp", "/var/tmp", "/dev/shm"]


def plan(**given: object) -> list[tuple[str, str]]:
    whole = {"root": "/home/u/p", "files": False, "own": [], "needed": [], "live": [], **given}
    return [tuple(step) for step in steps(**whole)]  # type: ignore[arg-type]


def test_nothing_is_hidden_that_is_elsewhere() -> None:
    assert plan(own=OWN, needed=["/usr/lib/python3", "/home/u/.venv"]) == [
        ("tmpfs", "/tmp"),
        ("tmpfs", "/dev/shm"),
        ("tmpfs", "/var/tmp"),
    ]


def test_what_an_own_folder_hides_comes_back_once() -> None:
    needed = ["/tmp/venv", "/tmp/venv/lib/site-packages"]
    order = plan(root="/tmp/p", own=["/tmp"], needed=needed, live=["/tmp/pytest-of-u/pytest-1"])
    assert order == [
        ("tmpfs", "/tmp"),
        ("bind", "/tmp/p"),
        ("bind", "/tmp/venv"),
        ("bind", "/tmp/pytest-of-u/pytest-1"),
    ]


def test_an_overlay_comes_after_what_it_lies_on_and_before_what_is_live_in_it() -> None:
    order = plan(root="/tmp/p", files=True, own=["/tmp"], live=["/tmp/p/__snapshots__", "/tmp/base"])
    assert order == [
        ("tmpfs", "/tmp"),
        ("bind", "/tmp/base"),
        ("bind", "/tmp/p"),
        ("overlay", "/tmp/p"),
        ("bind", "/tmp/p/__snapshots__"),
    ]


def test_an_own_folder_inside_the_project_is_empty_but_for_what_is_needed() -> None:
    order = plan(
        files=True, own=["/tmp", "/home/u/p/tmp"], needed=["/home/u/p/.venv", "/home/u/p/tmp/lib"], live=["/srv/x"]
    )
    assert order == [
        ("tmpfs", "/tmp"),
        ("overlay", "/home/u/p"),
        ("tmpfs", "/home/u/p/tmp"),
        ("bind", "/home/u/p/tmp/lib"),
    ]


def test_names_that_only_begin_alike_are_not_inside() -> None:
    assert plan(root="/tmpx/p", own=["/tmp"], needed=["/tmp2"]) == [("tmpfs", "/tmp")]


def test_a_database_folder_is_overlaid_as_the_project_is() -> None:
    order = plan(files=True, databases=["/srv/app", "/srv/app/more"])
    assert order == [("overlay", "/srv/app"), ("overlay", "/home/u/p")]
    assert plan(root="/tmp/p", own=["/tmp"], databases=["/tmp/db"]) == [
        ("tmpfs", "/tmp"),
        ("bind", "/tmp/db"),
        ("bind", "/tmp/p"),
    ]


def test_a_database_folder_around_the_project_shows_what_is_live_and_hides_no_other() -> None:
    order = plan(root="/d/p", files=True, databases=["/d", "/d/live/db"], live=["/d/live", "/d/p/reports"])
    assert order == [
        ("overlay", "/d"),
        ("bind", "/d/live"),
        ("overlay", "/d/p"),
        ("overlay", "/d/live/db"),
        ("bind", "/d/p/reports"),
    ]


def test_a_database_folder_in_an_own_one_and_around_one() -> None:
    order = plan(files=True, own=["/tmp", "/var/tmp"], databases=["/tmp/db", "/var"])
    assert order == [
        ("tmpfs", "/tmp"),
        ("overlay", "/var"),
        ("bind", "/tmp/db"),
        ("overlay", "/tmp/db"),
        ("tmpfs", "/var/tmp"),
        ("overlay", "/home/u/p"),
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"files": True, "databases": ["/"]}, "is the root of the file system: each worker"),
        ({"own": ["/tmp"], "databases": ["/tmp"]}, "in /tmp itself, which is an empty one .* `url-env`"),
        ({"files": True, "live": ["/d/t"], "databases": ["/d/t"]}, "holds the folders of tmp_path"),
        ({"root": "/", "files": True}, "root of the file system"),
        ({"root": "/tmp", "own": ["/tmp"]}, "in /tmp itself"),
        ({"own": ["/tmp"], "needed": ["/tmp"]}, "in /tmp itself"),
    ],
)
def test_what_cannot_be(given: dict[str, object], message: str) -> None:
    with pytest.raises(Impossible, match=message):
        plan(**given)


def test_steps_never_hide_what_an_earlier_one_brought_back() -> None:
    order = steps(
        root="/tmp/p",
        files=True,
        own=["/tmp", "/tmp/p/tmp", "/tmp/p/tmp/deep"],
        needed=["/tmp/venv", "/tmp/p/tmp/py"],
        live=["/tmp/p/tmp/base", "/tmp/p/out"],
    )
    hiding = [place for place, step in enumerate(order) if step.kind != "bind"]
    for place in hiding:
        target = order[place].target
        before = [step for step in order[:place] if step.kind == "bind" and step.target.startswith(f"{target}/")]
        assert not before, (order, target)
    assert Step("tmpfs", "/tmp/p/tmp/deep") not in order


def test_mounts_below_a_folder() -> None:
    text = (
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        "2 1 8:2 / /home/u/p rw - ext4 /dev/sdb rw\n"
        "3 1 8:2 / /home/u/p/node\\040modules rw - ext4 /dev/sdb rw\n"
        "4 3 8:2 / /home/u/p/node\\040modules/x rw - ext4 /dev/sdb rw\n"
        "5 1 8:2 / /home/u/pp rw - ext4 /dev/sdb rw\n"
    )
    assert mounts_below(text, "/home/u/p") == ["/home/u/p/node modules"]


# ---------------------------------------------------------------- what passes through


@pytest.mark.parametrize(
    ("path", "through"),
    [
        (".coverage.host.1.x", True),
        ("sub/.coverage", True),
        ("tests/__snapshots__/a.ambr", True),
        ("tests/a/__pycache__/x.pyc", True),
        ("data/out.csv", False),
        ("golden/a/b.json", True),
        ("golden2/b.json", False),
        ("other/golden/b.json", False),
        ("logs/run.log", True),
        ("logs/deep/run.log", False),
        ("build/x/final.txt", True),
    ],
)
def test_what_passes_through(path: str, through: bool) -> None:
    patterns = [*isolation.PASS_THROUGH, "golden/a", "logs/*.log", "build/*/final.txt"]
    assert isolation.passes(path, patterns) is through


# ---------------------------------------------------------------- settings


def test_kinds_are_put_in_order_once() -> None:
    assert isolation.parse(["ipc", "ports", "ports"]) == ("ports", "ipc")
    assert isolation.parse(["all"]) == isolation.KINDS
    assert isolation.parse(["none"]) == ()


def test_a_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.outpace.isolate]\n"
        'kinds = ["files", "ports"]\nexpose = ["[::1]:5432", "db:1", "@x", "/run/x"]\n'
        'pass-through = ["golden"]\nhome = true\nkeep = "kept"\nmissing = "ignore"\n'
    )
    assert load(tmp_path).isolate == isolation.Isolation(
        ("ports", "files"), ("[::1]:5432", "db:1", "@x", "/run/x"), ("golden",), True, "kept", "ignore"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('kinds = ["port"]', ":2: `kinds`: 'port' is not one of ports, tmp, files, ipc, all, none"),
        ("kinds = 3", "`kinds`: 3 is not one of"),
        ('expose = ["db"]', "`expose`: 'db' is not HOST:PORT, HOST:PORT/udp, a /path or an @abstract socket"),
        ('expose = ["db:99999"]', "is not HOST:PORT"),
        ('expose = "db:1"', "`expose` must be a list of strings"),
        ("home = 1", "`home` must be true or false"),
        ('missing = "warn"', '`missing` must be "fail" or "ignore"'),
        ('passthrough = ["a"]', "unknown key `passthrough` in [tool.outpace.isolate]; known are `kinds`, `expose`"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.outpace.isolate]\n{line}\n")
    with pytest.raises(pytest.UsageError) as error:
        load(tmp_path)
    assert message in str(error.value), error.value
    assert ":2: " in str(error.value)
