"""Make what a suite needs in the cache folder: a virtual environment, its source archive, the unpacked tree.

Everything is kept and reused while what it was made from is unchanged; a stamp file written last says what that was,
so an interrupted preparation is started again. Only this module talks to the package index, through pip.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import parse_pins
from .model import ParityError, Suite

_PIP_TIMEOUT = 900.0
_STAMP = "parity-stamp.json"


@dataclass(frozen=True)
class Prepared:
    """Where a suite is installed and where pytest runs from."""

    suite: Suite
    python: Path
    cwd: Path
    fresh: bool  # made by this call: no bytecode yet
    arguments: tuple[str, ...] = ()  # for pytest, before the suite's own

    @property
    def pytest(self) -> Path:
        return self.python.with_name("pytest")


@dataclass(frozen=True)
class Workshop:
    """The cache folder and what is common to all suites."""

    cache: Path
    common: tuple[str, ...]
    constraints: Mapping[str, str]
    constraints_file: Path
    wheel: Path | None

    def prepare(self, suite: Suite) -> Prepared:
        python, new_venv = self._environment(suite)
        arguments: tuple[str, ...] = ()
        if suite.source == "sdist":
            cwd, new_tree = self._tree(suite)
        else:
            cwd = self.cache / "source" / f"{suite.name}-{suite.version}-installed"
            new_tree = not cwd.exists()
            cwd.mkdir(parents=True, exist_ok=True)
            # A folder with a pytest.ini of its own: no configuration file further up can be picked up.
            (cwd / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
            # Without this root, node ids would start at each package named, and two packages' tests could share one.
            arguments = (f"--rootdir={_site_packages(python)}",)
        if self.wheel is not None:
            self._install_wheel(suite, python, self.wheel)
        return Prepared(suite, python, cwd, new_venv or new_tree, arguments)

    def _environment(self, suite: Suite) -> tuple[Path, bool]:
        folder = self.cache / "venv" / suite.name
        python = folder / "bin" / "python"
        wanted = sorted({*self.common, *suite.requirements, suite.pin})
        stamp = _read_stamp(folder)
        if (
            stamp.get("python") == sys.version
            and stamp.get("requirements") == wanted
            and all(self.constraints.get(name) == version for name, version in stamp.get("installed", {}).items())
        ):
            return python, False
        shutil.rmtree(folder, ignore_errors=True)
        venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
        _pip(python, ["install", "-c", str(self.constraints_file), *wanted], f"{suite.name}: install")
        installed = parse_pins(_pip(python, ["freeze"], f"{suite.name}: freeze"))
        if loose := sorted(f"{name}=={ver}" for name, ver in installed.items() if self.constraints.get(name) != ver):
            raise ParityError(f"{suite.name}: not pinned in {self.constraints_file.name}: {' '.join(loose)}")
        _write_stamp(folder, {"python": sys.version, "requirements": wanted, "installed": installed})
        return python, True

    def _tree(self, suite: Suite) -> tuple[Path, bool]:
        parent = self.cache / "source" / f"{suite.name}-{suite.version}"
        if _read_stamp(parent).get("sha256") != suite.sha256:
            archive = self._archive(suite)
            shutil.rmtree(parent, ignore_errors=True)
            with tarfile.open(archive) as tar:
                tar.extractall(parent, filter="data")
            _write_stamp(parent, {"sha256": suite.sha256})
            return _only_folder(parent), True
        return _only_folder(parent), False

    def _archive(self, suite: Suite) -> Path:
        folder = self.cache / "archive" / suite.pin
        if not any(folder.glob("*.tar.gz")):
            folder.mkdir(parents=True, exist_ok=True)
            # --no-binary for this name only: build backends, which pip needs to read an archive, may come as wheels.
            arguments = ["download", "--no-binary", suite.name, "--no-deps", "--dest", str(folder), suite.pin]
            _pip(None, arguments, f"{suite.name}: download")
        archives = list(folder.glob("*.tar.gz"))
        if len(archives) != 1:
            raise ParityError(f"{suite.name}: expected one .tar.gz in {folder}, found {len(archives)}")
        found = hashlib.sha256(archives[0].read_bytes()).hexdigest()
        if found != suite.sha256:
            raise ParityError(f"{suite.name}: {archives[0].name} has sha256 {found}, the list says {suite.sha256}")
        return archives[0]

    def _install_wheel(self, suite: Suite, python: Path, wheel: Path) -> None:
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        folder = self.cache / "venv" / suite.name / "outpace-wheel"
        if _read_stamp(folder).get("sha256") != digest:
            arguments = ["install", "--no-deps", "--force-reinstall", str(wheel)]
            _pip(python, arguments, f"{suite.name}: install {wheel.name}")
            folder.mkdir(exist_ok=True)
            _write_stamp(folder, {"sha256": digest})


def _pip(python: Path | None, arguments: Sequence[str], what: str) -> str:
    """Run the pip of this interpreter, for another environment when ``python`` is given; its standard output."""
    target = ["--python", str(python)] if python else []
    command = [sys.executable, "-m", "pip", *target, "--disable-pip-version-check", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise ParityError(f"{what}: pip took more than {_PIP_TIMEOUT:.0f} s") from error
    if done.returncode != 0:
        raise ParityError(f"{what}: pip failed\n{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _site_packages(python: Path) -> Path:
    found = list(python.parent.parent.glob("lib/python3*/site-packages"))
    if len(found) != 1:
        raise ParityError(f"expected one site-packages folder beside {python}, found {len(found)}")
    return found[0]


def _only_folder(parent: Path) -> Path:
    folders = [path for path in parent.iterdir() if path.is_dir()]
    if len(folders) != 1:
        raise ParityError(f"expected one folder in {parent}, found {len(folders)}")
    return folders[0]


def _read_stamp(folder: Path) -> dict[str, Any]:
    try:
        data = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _write_stamp(folder: Path, data: Mapping[str, Any]) -> None:
    (folder / _STAMP).write_text(json.dumps(data, indent=1), encoding="utf-8")
