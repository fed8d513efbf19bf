"""The server: when there is one, when it ends, and that a run never depends on it."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import psutil
import pytest
from lab import Lab


def server_of(lab: Lab) -> psutil.Process:
    (found,) = [each for each in lab.processes() if "__serve" in each.cmdline()]
    return found


def warm_up(lab: Lab, *args: str) -> None:
    """Until the next such run finds all that can be kept."""
    first = lab.run(*args)
    assert first.note == "warm: none yet (the first run)", first.output
    lab.settle()


def test_the_second_run_finds_collected_tests(lab: Lab) -> None:
    warm_up(lab)
    second = lab.run()
    assert (second.note, second.code) == ("warm: collected", 0), second.output


def test_there_is_no_server_unless_one_is_asked_for(lab: Lab) -> None:
    assert lab.run(warm=False).note == ""
    assert lab.server("status").code == 1
    assert not lab.processes()


def test_the_project_can_ask_for_it(lab: Lab) -> None:
    lab.write("pyproject.toml", "[tool.outpace]\nwarm = true\n")
    assert lab.run(warm=False).note == "warm: none yet (the first run)"


@pytest.mark.parametrize(("asked", "note"), [(False, ""), (True, "warm: none yet (the first run)")])
def test_in_ci_it_must_be_asked_for_explicitly(lab: Lab, asked: bool, note: str) -> None:
    lab.write("pyproject.toml", "[tool.outpace]\nwarm = true\n")
    lab.env["CI"] = "true"
    assert lab.run(warm=asked).note == note


@pytest.mark.parametrize(
    "line", ["warm = 1", "warm-idle = 0", 'warm-age = "x"', "depends-on = 'x'", "depends-on = [1]", "warmth = true"]
)
def test_a_setting_that_is_not_understood_is_refused(lab: Lab, line: str) -> None:
    lab.write("pyproject.toml", f"[tool.outpace]\n{line}\n")
    run = lab.run()
    assert run.code == 4
    assert "pyproject.toml:2" in run.output and line.split(" ", maxsplit=1)[0] in run.output


def test_status_stop_and_logs(lab: Lab) -> None:
    assert "no server" in lab.server("stop").output
    warm_up(lab)
    status = lab.server("status")
    assert status.code == 0
    assert f"process {server_of(lab).pid}" in status.output and "collected; " in status.output
    assert lab.server("logs").code == 0
    assert lab.server("stop").output == "stopped\n"
    assert lab.server("status").code == 1


def test_runs_at_once_share_one_server(lab: Lab) -> None:
    processes = [lab.start() for _ in range(4)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, outputs
    assert server_of(lab)
    notes = [line for output in outputs for line in output.splitlines() if line.startswith("outpace: warm: ")]
    assert len(notes) == 4, outputs


def test_it_ends_when_nobody_needs_it_for_a_while(lab: Lab) -> None:
    lab.write("pyproject.toml", "[tool.outpace]\nwarm-idle = 0.01\n")
    lab.run()
    server = server_of(lab)
    server.wait(timeout=60)


def test_it_ends_when_the_project_is_gone(lab: Lab, tmp_path: Path) -> None:
    warm_up(lab)
    server = server_of(lab)
    shutil.rmtree(lab.folder)
    server.wait(timeout=60)
    lab.folder.mkdir()  # for the end of this test


def test_an_idle_server_and_its_layers_sleep(lab: Lab) -> None:
    warm_up(lab)

    def used() -> list[tuple[float, int]]:
        return [(sum(each.cpu_times()[:2]), each.num_ctx_switches().voluntary) for each in kept]

    psutil.cpu_percent(0.5)  # the last question of the test is answered
    kept = lab.processes()
    before = used()
    psutil.cpu_percent(1.0)
    assert used() == before
    assert len(kept) == 6  # the server, libraries, configured, about to collect, collected, at a door


def test_a_server_that_dies_in_a_run_is_not_missed(lab: Lab) -> None:
    lab.write("test_it.py", "import pathlib, time\ndef test_it():\n    pathlib.Path('on').touch()\n    time.sleep(1)\n")
    warm_up(lab)
    (lab.folder / "on").unlink()
    lab.run("--co", "-n0")
    process = lab.start()
    while not (lab.folder / "on").exists():
        psutil.cpu_percent(0.01)
    server_of(lab).kill()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "1 passed" in output, output
    assert lab.run().code == 0


def test_a_server_that_does_not_answer_is_not_waited_for(lab: Lab) -> None:
    warm_up(lab)
    server = server_of(lab)
    server.suspend()
    try:
        run = lab.run()
    finally:
        server.resume()
    assert (run.code, run.note) == (0, "not warm: the server: it does not answer"), run.output


def test_layers_that_die_cost_nothing(lab: Lab) -> None:
    warm_up(lab)
    server = server_of(lab)
    for process in lab.processes():
        if process.pid != server.pid:
            with contextlib.suppress(psutil.Error):
                process.kill()
    assert lab.run().code == 0
    lab.settle()
    assert lab.run().code == 0


def test_a_folder_that_others_can_enter_is_not_used(lab: Lab) -> None:
    lab.run()
    lab.server("stop")
    (place,) = (lab.runtime / "outpace").iterdir()
    place.chmod(0o755)
    run = lab.run()
    assert run.code == 0 and run.note.startswith("not warm: ") and "0700" in run.note
    place.chmod(0o700)


def test_layers_and_server_go_where_memory_is_short(lab: Lab) -> None:
    lab.env["OUTPACE_WARM_RESERVE"] = str(1 << 60)
    run = lab.run()
    assert (run.code, run.note) == (0, "not warm: the server is ending"), run.output
    assert lab.server("status").code == 1
