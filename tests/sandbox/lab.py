"""A project of which each worker has its own: run as this user, and as an ordinary one.

The folder lies in ``/tmp``, which is the hardest place: a worker's own ``/tmp`` hides it. Where the kernel allows no
sandbox the tests are skipped with what it says.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import outpace
from project import Run

LIMIT = 90.0
NOBODY = 65534
_STEERING = ("PYTEST_", "OUTPACE_", "COV_", "COVERAGE_")
_PACKAGES = str(Path(outpace.__file__).resolve().parent.parent)
MARKER = "OUTPACE_SANDBOX_RUN"


class User:
    """Who runs pytest, and with which interpreter."""

    def __init__(self, name: str, prefix: tuple[str, ...], python: str, paths: tuple[str, ...] = ()) -> None:
        self.name = name
        self.prefix = prefix
        self.python = python
        self.paths = paths

    def environ(self, home: Path) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_STEERING)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        if self.paths:
            from outpace.launch import find_binary

            kept.update(PYTHONPATH=os.pathsep.join(self.paths), OUTPACE_BINARY=find_binary(), HOME=str(home))
        return kept


# That it may start itself again does not follow from its having been started: setpriv may have found another.
_TRY = "import outpace.plugin, xdist, subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"

ME = User("me", (), sys.executable)


@functools.cache
def ordinary() -> User | str:
    """An ordinary user that can run this pytest; else why there is none."""
    if os.getuid() != 0:
        return ME
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return "setpriv is not installed"
    prefix = (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    paths = (*(path for path in sys.path if path.endswith("-packages")), _PACKAGES)
    for python in (sys.executable, shutil.which(version, path="/usr/bin:/usr/local/bin")):
        if python is None:
            continue
        user = User("ordinary", prefix, python, paths)
        found = subprocess.run(
            [*prefix, python, "-c", _TRY],
            env=user.environ(Path("/")),
            cwd="/",
            capture_output=True,
        )
        if found.returncode == 0:
            return user
    return "no Python that an ordinary user may run has pytest"


@functools.cache
def refusal(user: User) -> str:
    """Why this user gets no sandbox here; empty if it does."""
    code = (
        "from outpace.worker import sandbox\n"
        "given = dict(kinds=['ports', 'tmp', 'files', 'ipc'], root='/usr/share', own=['/tmp'], paths=[], targets=[],\n"
        "             hosts=[], live=[], databases=[], home=False, keep='', missing='fail')\n"
        "given['pass'] = []\n"
        "try:\n    sandbox.enter(given, None, None)\n"
        "except sandbox.Refused as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [*user.prefix, user.python, "-c", code], env=user.environ(Path("/")), cwd="/", capture_output=True, text=True
    )
    return done.stdout.strip() or done.stderr.strip()


class Lab:
    def __init__(self, user: User, folder: Path) -> None:
        self.user = user
        self.folder = folder
        self.path = folder / "project"
        self.path.mkdir()
        self.mark = uuid.uuid4().hex

    def write(self, name: str, text: str) -> Path:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text).lstrip("\n"))
        return target

    def settings(self, text: str) -> None:
        self.write("pyproject.toml", "[tool.outpace.isolate]\n" + textwrap.dedent(text))

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        if self.user.prefix:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(self.folder)], check=True)
        return subprocess.Popen(
            [*self.user.prefix, self.user.python, "-m", "pytest", *args],
            cwd=self.path,
            env={**self.user.environ(self.folder), MARKER: self.mark, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *args: str, env: Mapping[str, str] | None = None) -> Run:
        return finish(self.start(*args, env=env))

    def processes(self) -> list[int]:
        """What still runs of the runs of this lab."""
        found = []
        for each in Path("/proc").iterdir():
            if each.name.isdecimal():
                with contextlib.suppress(OSError):
                    if f"{MARKER}={self.mark}".encode() in (each / "environ").read_bytes():
                        found.append(int(each.name))
        return found


def finish(process: subprocess.Popen[str]) -> Run:
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"the run did not end within {LIMIT} s\n{out}\n{err}") from None
    return Run(process.returncode, out, err)


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Where every user may go, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="outpace-sandbox-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
